// SPDX-License-Identifier: Apache-2.0
#include "lab/tail.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace millwright::lab {
namespace {

constexpr double kTailShare = 0.1;
constexpr size_t kMinimumPeaks = 40;
constexpr double kAlmostZero = 1e-9;

}  // namespace

double Tail::score_at(double rate) const {
  MW_CHECK(rate > 0.0 && rate <= tail_share * (1.0 + 1e-9), "a tail answers for rates within it");
  const double log_ratio = std::log(tail_share / rate);
  if (std::abs(shape) < kAlmostZero) return start + scale * log_ratio;
  return start + scale / shape * std::expm1(shape * log_ratio);
}

Tail fit_tail(std::span<const double> sorted) {
  const size_t n = sorted.size();
  MW_CHECK(n >= kMinimumTailScores, "a tail is fitted to kMinimumTailScores scores or more");
  const auto tenth = static_cast<size_t>(std::ceil(kTailShare * static_cast<double>(n)));
  const size_t count = std::max(tenth, std::min(kMinimumPeaks, n / 3));
  const double start = sorted[n - count - 1];
  std::vector<double> peaks(sorted.end() - static_cast<std::ptrdiff_t>(count), sorted.end());
  for (double& peak : peaks) peak -= start;
  Tail tail = fit_peaks(peaks);
  tail.start = start;
  tail.tail_share = static_cast<double>(count) / static_cast<double>(n);
  return tail;
}

Tail fit_peaks(std::span<const double> peaks) {
  MW_CHECK(peaks.size() >= 2, "a tail is fitted to two peaks or more");
  const auto k = static_cast<double>(peaks.size());
  double b0 = 0.0;
  double b1 = 0.0;
  for (size_t i = 0; i < peaks.size(); ++i) {
    b0 += peaks[i] / k;
    b1 += peaks[i] * (k - 1.0 - static_cast<double>(i)) / (k - 1.0) / k;
  }
  Tail tail;
  tail.peaks = peaks.size();
  tail.tail_share = 1.0;
  const double spread = b0 - 2.0 * b1;
  if (spread > kAlmostZero * b0) tail.shape = std::clamp(2.0 - b0 / spread, -kMaxShape, kMaxShape);
  tail.scale = b0 * (1.0 - tail.shape);  // keeps the mean of the peaks where the shape was clamped
  return tail;
}

}  // namespace millwright::lab
