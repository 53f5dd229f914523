// SPDX-License-Identifier: Apache-2.0
// The upper tail of normal scores, fitted so that rates rarer than the data can show may be asked for: peaks over a
// threshold follow a generalised Pareto distribution (J. Pickands, Ann. Statist. 3 (1975) 119-131).
#pragma once

#include <cstddef>
#include <span>

namespace millwright::lab {

// P(score > x) = tail_share * (1 + shape (x - start) / scale)^(-1 / shape) for x >= start.
struct Tail {
  double start = 0.0;
  double scale = 0.0;
  double shape = 0.0;  // within [-kMaxShape, kMaxShape]; 0: exponential
  double tail_share = 0.0;
  size_t peaks = 0;

  // The score that is exceeded at `rate`, 0 < rate <= tail_share.
  [[nodiscard]] double score_at(double rate) const;
};

inline constexpr double kMaxShape = 0.5;  // beyond, the variance of a tail is infinite and no fit to it holds

// Fits the highest tenth of `sorted` (ascending, at least kMinimumTailScores), and never fewer than 40 peaks where
// there are as many, by probability-weighted moments (J. R. M. Hosking and J. R. Wallis, Technometrics 29 (1987)
// 339-349), which stay stable for few peaks.
inline constexpr size_t kMinimumTailScores = 8;
Tail fit_tail(std::span<const double> sorted);

// Fits scale and shape to `peaks` (distances above a start of 0, ascending, at least two).
Tail fit_peaks(std::span<const double> peaks);

}  // namespace millwright::lab
