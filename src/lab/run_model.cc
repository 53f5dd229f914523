// SPDX-License-Identifier: Apache-2.0
#include "lab/run_model.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "inference/session.h"

namespace millwright::lab {
namespace {

constexpr Eigen::Index kBatch = 64;

// Row `at` and those after it, normalised; what lies beyond the last row repeats it.
void fill(const model::Bundle& bundle, const Rows& rows, Eigen::Index at, std::span<float> input) {
  const Eigen::Index features = rows.cols();
  const auto batch = static_cast<Eigen::Index>(input.size()) / features;
  for (Eigen::Index b = 0; b < batch; ++b) {
    const Eigen::Index row = std::min(at + b, rows.rows() - 1);
    for (Eigen::Index j = 0; j < features; ++j) {
      const auto f = static_cast<size_t>(j);
      float x = rows(row, j);
      if (!bundle.input_mean.empty()) x = (x - bundle.input_mean[f]) / bundle.input_scale[f];
      input[static_cast<size_t>(b * features + j)] = x;
    }
  }
}

// Squared errors of a reconstruction: their mean is the score, they are the contributions.
void take_reconstruction(std::span<const float> input, std::span<const float> output, Eigen::Index row, ModelRun& run) {
  const auto features = static_cast<size_t>(run.contributions.cols());
  double sum = 0.0;
  const size_t start = static_cast<size_t>(row) % kBatch * features;
  for (size_t j = 0; j < features; ++j) {
    const double error = static_cast<double>(input[start + j]) - output[start + j];
    run.contributions(row, static_cast<Eigen::Index>(j)) = static_cast<float>(error * error);
    sum += error * error;
  }
  run.raw[static_cast<size_t>(row)] = sum / static_cast<double>(features);
}

Status check_shapes(inference::Session& session, size_t features, bool reconstruction) {
  const auto is_float = [](const inference::Session::Tensor& t) { return t.type == onnx::ElementType::kFloat; };
  if (session.inputs().size() != 1 || !is_float(session.inputs()[0]) ||
      session.input_floats().size() != kBatch * features) {
    return fail(ErrorCode::kInvalidInput, "the model's input is not one float tensor of shape (batch, {})", features);
  }
  const size_t per_row = reconstruction ? features : 1;
  if (session.outputs().empty() || !is_float(session.outputs()[0]) ||
      session.output_floats().size() != kBatch * per_row) {
    return fail(ErrorCode::kInvalidInput, "the model's first output is not float with {} value(s) per window", per_row);
  }
  return {};
}

}  // namespace

Result<ModelRun> run_model(const model::Bundle& bundle, const Rows& rows) {
  inference::Session session = MW_TRY_IN("model", inference::Session::create(bundle.model, kBatch));
  const auto features = static_cast<size_t>(rows.cols());
  const bool reconstruction = bundle.score_kind == model::ScoreKind::kReconstruction;
  MW_CHECK_OK(check_shapes(session, features, reconstruction));
  const bool shares = !reconstruction && session.outputs().size() > 1 &&
                      session.outputs()[1].type == onnx::ElementType::kFloat &&
                      session.output_floats(1).size() == kBatch * features;
  ModelRun run;
  run.raw.resize(static_cast<size_t>(rows.rows()));
  if (shares || reconstruction) run.contributions.resize(rows.rows(), rows.cols());
  for (Eigen::Index at = 0; at < rows.rows(); at += kBatch) {
    fill(bundle, rows, at, session.input_floats());
    if (!session.run()) return fail(ErrorCode::kInvalidInput, "model: {}", session.last_error());
    for (Eigen::Index row = at; row < std::min(at + kBatch, rows.rows()); ++row) {
      const auto b = static_cast<size_t>(row - at);
      if (reconstruction) {
        take_reconstruction(session.input_floats(), session.output_floats(), row, run);
      } else {
        run.raw[static_cast<size_t>(row)] = session.output_floats()[b];
      }
      if (shares) {
        const std::span<const float> of_row = session.output_floats(1).subspan(b * features, features);
        std::ranges::copy(of_row, run.contributions.row(row).data());
      }
      if (!std::isfinite(run.raw[static_cast<size_t>(row)])) {
        return fail(ErrorCode::kCorrupt, "model: the score of window {} is not a finite number", row);
      }
    }
  }
  return run;
}

}  // namespace millwright::lab
