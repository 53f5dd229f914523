// SPDX-License-Identifier: Apache-2.0
// From a stated false-alarm rate to a threshold, by the scores of normal windows that the detector has not seen.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "lab/metrics.h"
#include "model/scoring.h"

namespace millwright::lab {

// Below it no threshold is set: the tail of fewer scores is a guess.
inline constexpr size_t kMinimumHeldOut = 20;

struct ThresholdOptions {
  double false_alarm_rate = 0.001;  // per window; within (0, 0.5)
  uint64_t seed = 1;
};

struct ThresholdFit {
  model::Threshold threshold;
  Interval rate_ci95;       // of the false-alarm rate that this threshold will really have
  double shown_rate = 0.0;  // the smallest rate that these windows alone can show (none in n: 3 / n); below it the
                            // threshold rests on the fitted shape of the tail
  [[nodiscard]] bool extrapolates() const { return threshold.false_alarm_rate < shown_rate; }
};

// `scores`: raw, finite, of held-out normal windows. "empirical" (an order statistic, with its binomial interval) where
// at least kEmpiricalExceedances scores are expected above; otherwise "gpd": a generalised Pareto tail whose
// uncertainty, by a parametric bootstrap, is averaged in, so that the *expected* rate is the stated one.
// Where scores repeat, the threshold lies strictly between two of them (ties.h).
// kInvalidInput: too few scores, a rate out of range, or scores that are all the same.
inline constexpr double kEmpiricalExceedances = 30.0;
Result<ThresholdFit> fit_threshold(std::span<const double> scores, const ThresholdOptions& options);

}  // namespace millwright::lab
