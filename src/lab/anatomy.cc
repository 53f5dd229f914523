// SPDX-License-Identifier: Apache-2.0
#include "lab/anatomy.h"

#include <algorithm>
#include <utility>

namespace millwright::lab {
namespace {

struct Seen {
  inference::ShapedGraph shaped;
  RuntimeView view;
};

Result<Seen> ask_runtime(std::span<const std::byte> model, const inference::Rung& rung) {
  const auto trial = MW_TRY(inference::try_model(model));
  Seen seen{.shaped = MW_TRY(inference::shaped_graph(model)), .view = {}};
  seen.view.trial = trial;
  seen.view.kernels = MW_TRY(inference::kernels(model));
  auto placed = inference::placement(model, rung);
  if (placed) {
    seen.view.placement = *std::move(placed);
  } else {
    seen.view.why_no_placement = placed.error().message;
  }
  return seen;
}

}  // namespace

Result<Anatomy> anatomy(std::span<const std::byte> model, const inference::Rung& rung) {
  Anatomy out{.summary = {}, .graph = MW_TRY(onnx::Graph::parse(model))};
  out.summary = MW_TRY(onnx::Model::parse(model)).summary();
  auto seen = ask_runtime(model, rung);
  if (seen) {
    out.graph = std::move(seen->shaped.graph);
    out.dynamic = std::move(seen->shaped.dynamic);
    out.runtime = std::move(seen->view);
  } else {
    out.why_no_runtime = seen.error().message;
  }
  out.work = onnx::work_of(out.graph);
  return out;
}

}  // namespace millwright::lab
