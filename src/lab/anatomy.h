// SPDX-License-Identifier: Apache-2.0
// A model taken apart: what its file says, what one run asks of a machine, and what the runtime makes of it here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/optimised.h"
#include "inference/placement.h"
#include "inference/trial.h"
#include "onnx/graph.h"
#include "onnx/model.h"
#include "onnx/work.h"

namespace millwright::lab {

// What ONNX Runtime makes of it on this machine.
struct RuntimeView {
  inference::TrialReport trial;                  // of the confined child that ran it first, batch 1
  inference::Kernels kernels;                    // after optimisation for the CPU
  std::vector<inference::PlacedNode> placement;  // who runs each; empty: see why_no_placement
  std::string why_no_placement;
};

struct Anatomy {
  onnx::Summary summary;
  onnx::Graph graph;  // with the shapes of all values where the runtime could be asked, else as the file states them
  std::vector<std::string> dynamic;  // inputs whose open dimensions count as 1
  onnx::Work work;                   // of one run
  std::optional<RuntimeView> runtime;
  std::string why_no_runtime;  // where it is absent: what the trial said
};

// Reads, checks and counts; then the model is tried in a confined child, and only where that goes well it is loaded
// here, and run once on `rung`. A model that fails its trial is no error: what the file says stands. Errors as
// Model::parse.
Result<Anatomy> anatomy(std::span<const std::byte> model, const inference::Rung& rung = {});

}  // namespace millwright::lab
