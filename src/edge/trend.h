// SPDX-License-Identifier: Apache-2.0
// Is the process drifting towards its limit, and how many strokes are left? Looks at medians of groups of strokes, so
// that single outliers say nothing, and speaks only when a rise is both significant and large.
//   Slope: P. K. Sen, JASA 63 (1968), median of pairwise slopes. Significance: M. G. Kendall's S with its variance
//   under no trend, n(n-1)(2n+5)/18.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "model/stroke_record.h"

namespace millwright::edge {

struct TrendOptions {
  uint32_t group = 8;          // strokes per median, 1 .. kMaxGroup
  double significance = 4.0;   // standard deviations of Kendall's S
  double rise = 0.30;          // how much of the way from where it began to the limit must be gone
  uint32_t confirmations = 3;  // groups in a row that must agree
  double horizon = 10.0;       // a limit farther ahead than this many times the history is not reported
  bool operator==(const TrendOptions&) const = default;
};

// Works on raw scores, because the score in [0, 1] is not linear in the wear. Neither allocates nor fails.
class Trend {
 public:
  static constexpr uint32_t kMaxGroup = 32;
  static constexpr size_t kHistory = 48;  // medians
  static constexpr size_t kEnough = 20;

  explicit Trend(const TrendOptions& options);
  // One stroke with a verdict; `limit` is the raw threshold.
  model::Trend stroke(double raw, double limit);
  // Another model: its scores cannot be compared.
  void reset();

 private:
  void add_median(double limit);
  void estimate(double limit);

  TrendOptions options_;
  std::array<double, kMaxGroup> group_{};
  uint32_t in_group_ = 0;
  std::array<double, kHistory> medians_{};  // oldest first
  size_t count_ = 0;
  std::array<double, kHistory*(kHistory - 1) / 2> slopes_{};
  uint32_t agreed_ = 0;
  double left_ = 0.0;  // strokes, at the last estimate
  model::Trend current_;
};

}  // namespace millwright::edge
