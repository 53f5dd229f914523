// SPDX-License-Identifier: Apache-2.0
// Several slow channels that drift: learn from the first rows of a recording, judge the rest, row by row as they come.
#pragma once

#include <Eigen/Core>

#include "base/error.h"
#include "lab/matrix.h"

namespace millwright::lab {

// Fewest rows that noise and drift are learned from.
inline constexpr Eigen::Index kLeastDriftRows = 60;

// Hotelling's T2 of independent channels whose band widens with time. Heat that is stored and lost adds up, so what a
// channel wanders is a random walk: its variance grows in proportion to the time since it was learned, at a rate that
// the learned rows show themselves (their variogram). A channel that wanders in normal running so counts for little,
// without anybody naming it; one that never wandered keeps a narrow band.
//
// It needs no label, no other recording, and no threshold but a share of a known distribution.
class DriftT2 {
 public:
  // `first_rows`: (instants, channels), evenly spaced in time, of normal running. kInvalidInput where there are too
  // few.
  static Result<DriftT2> learn(const Matrix& first_rows);

  // (instants, channels) -> shares of the score, not negative, of rows that begin with the learned ones. A row's shares
  // depend on no later row. The channels are those that were learned.
  [[nodiscard]] Matrix contributions(const Matrix& rows) const;

  // The sum of a row's shares: about chi-squared with as many degrees of freedom as channels while all is normal.
  [[nodiscard]] Vector scores(const Matrix& rows) const { return contributions(rows).rowwise().sum(); }

  // An alert where the score reaches it: the 99 % limit of control charts.
  [[nodiscard]] double limit() const { return limit_; }

  [[nodiscard]] const Vector& noise_variance() const { return noise_; }
  // Variance that a channel gains by wandering, per row and in units of its noise variance.
  [[nodiscard]] const Vector& drift_rate() const { return rate_; }

 private:
  double learned_ = 0.0;  // rows
  double limit_ = 0.0;
  Vector baseline_;
  Vector noise_;
  Vector rate_;
};

}  // namespace millwright::lab
