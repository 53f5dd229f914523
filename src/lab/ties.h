// SPDX-License-Identifier: Apache-2.0
// Scores that repeat: a quantised feature or a forest's few leaves give many normal windows one and the same score, and
// a threshold that lands on it calls all of them or none, as rounding goes.
#pragma once

#include <span>

namespace millwright::lab {

// Models compute in single precision: a score closer to the threshold than this share of it may fall on either side.
inline constexpr double kScoreRounding = 1e-4;

// `threshold`, or the next higher place where no tie decides: halfway between a repeated score and the next higher one,
// where `threshold` lies within rounding of the repeated score, or where that score and all above it are more than
// `rate` of `sorted` (ascending, at least two scores that differ). Above the highest score it lies half the last step
// beyond. Never below `threshold`; scores that do not repeat leave it as it is.
double lift_over_ties(std::span<const double> sorted, double rate, double threshold);

}  // namespace millwright::lab
