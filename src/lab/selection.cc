// SPDX-License-Identifier: Apache-2.0
#include "lab/selection.h"

#include <algorithm>

#include "base/check.h"
#include "base/random.h"
#include "lab/metrics.h"
#include "lab/scaling.h"

namespace millwright::lab {
namespace {

constexpr double kMostFalseAlarms = 0.1;
constexpr double kAsGood = 0.01;
constexpr double kLeastSpreads = 2.0;
constexpr double kMostSpreads = 6.0;

std::span<const double> view(const Vector& v) { return {v.data(), static_cast<size_t>(v.size())}; }

}  // namespace

Rows disturb(const Rows& rows, const Rows& reference, uint64_t seed) {
  const Scaling scaling = learn_scaling(reference);
  Random random(seed);
  Rows result = rows;
  const auto features = static_cast<uint64_t>(rows.cols());
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const uint64_t widths[] = {1, std::max<uint64_t>(1, features / 8), std::max<uint64_t>(1, features / 3)};
    const uint64_t width = widths[random.below(3)];
    const bool swap = features > 1 && random.below(2) == 0;
    const auto other = static_cast<Eigen::Index>(random.below(static_cast<uint64_t>(reference.rows())));
    const double spreads = random.uniform(kLeastSpreads, kMostSpreads) * (random.below(2) == 0 ? 1.0 : -1.0);
    for (uint64_t k = 0; k < width; ++k) {
      const auto j = static_cast<Eigen::Index>(random.below(features));
      const double moved = rows(i, j) + spreads * scaling.scale[j];
      result(i, j) = swap ? reference(other, j) : static_cast<float>(moved);
    }
  }
  return result;
}

Trial try_detector(DetectorKind kind, const Rows& rows, std::span<const Fold> folds, uint64_t seed) {
  Trial trial{.kind = kind, .held_out = std::vector<double>(static_cast<size_t>(rows.rows())), .sensitivity = 0.0};
  for (size_t f = 0; f < folds.size(); ++f) {
    const Rows train = rows(folds[f].train, Eigen::all);
    const Rows held_out = rows(folds[f].held_out, Eigen::all);
    const auto detector = train_detector(kind, train, seed + f);
    const Vector normal = detector->scores(held_out);
    const Vector disturbed = detector->scores(disturb(held_out, train, seed + f));
    for (size_t i = 0; i < folds[f].held_out.size(); ++i) {
      trial.held_out[static_cast<size_t>(folds[f].held_out[i])] = normal[static_cast<Eigen::Index>(i)];
    }
    trial.sensitivity +=
        partial_auc(view(normal), view(disturbed), kMostFalseAlarms) / static_cast<double>(folds.size());
  }
  return trial;
}

const Trial& choose(std::span<const Trial> trials) {
  MW_CHECK(!trials.empty(), "a choice needs a trial");
  const double best = std::ranges::max_element(trials, {}, &Trial::sensitivity)->sensitivity;
  return *std::ranges::find_if(trials, [best](const Trial& t) { return t.sensitivity >= best - kAsGood; });
}

}  // namespace millwright::lab
