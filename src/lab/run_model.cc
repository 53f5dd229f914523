// SPDX-License-Identifier: Apache-2.0
#include "lab/run_model.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "inference/feature_scorer.h"

namespace millwright::lab {
namespace {

constexpr Eigen::Index kBatch = 64;

}  // namespace

// bundle.features may be empty in tests of a bare model: the rows say how many features there are.
Result<ModelRun> run_model(const model::Bundle& bundle, const Rows& rows) {
  const auto features = static_cast<size_t>(rows.cols());
  inference::FeatureModel model = inference::feature_model_of(bundle);
  model.feature_count = features;
  inference::FeatureScorer scorer = MW_TRY(inference::FeatureScorer::create(model, static_cast<size_t>(kBatch)));
  ModelRun run;
  run.raw.reserve(static_cast<size_t>(rows.rows()));
  for (Eigen::Index at = 0; at < rows.rows(); at += kBatch) {
    const Eigen::Index count = std::min(kBatch, rows.rows() - at);
    for (Eigen::Index b = 0; b < count; ++b) {
      std::ranges::copy(std::span(rows.row(at + b).data(), features), scorer.row(static_cast<size_t>(b)).begin());
    }
    if (!scorer.run(static_cast<size_t>(count))) {
      return fail(ErrorCode::kInvalidInput, "model: {}", scorer.last_error());
    }
    for (Eigen::Index b = 0; b < count; ++b) {
      const inference::Scored scored = scorer.scored(static_cast<size_t>(b));
      if (!std::isfinite(scored.raw)) {
        return fail(ErrorCode::kCorrupt, "model: the score of window {} is not a finite number", at + b);
      }
      run.raw.push_back(scored.raw);
      if (scored.contributions.empty()) continue;
      if (run.contributions.size() == 0) run.contributions.resize(rows.rows(), rows.cols());
      std::ranges::copy(scored.contributions, run.contributions.row(at + b).data());
    }
  }
  return run;
}

}  // namespace millwright::lab
