// SPDX-License-Identifier: Apache-2.0
#include "lab/ties.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace millwright::lab {
namespace {

// Equal features give equal scores but for the order of a sum: closer than this share of the threshold is the same.
constexpr double kSame = 1e-9;

}  // namespace

double lift_over_ties(std::span<const double> sorted, double rate, double threshold) {
  MW_CHECK(sorted.size() >= 2 && sorted.front() < sorted.back(), "ties are judged among scores that differ");
  const double rounding = kScoreRounding * std::abs(threshold);
  const double same = kSame * std::abs(threshold);
  const double allowed = rate * static_cast<double>(sorted.size());
  // From the highest score down, one group of equal scores after the other.
  for (size_t end = sorted.size(); end > 0;) {
    const double highest = sorted[end - 1];
    if (highest < threshold - rounding) break;
    const auto group = std::ranges::lower_bound(sorted.first(end), highest - same);
    const auto begin = static_cast<size_t>(group - sorted.begin());
    const bool touches = threshold >= sorted[begin] - rounding && threshold <= highest + rounding;
    const bool too_many = static_cast<double>(sorted.size() - begin) > allowed;
    if (end - begin > 1 && (touches || too_many)) {
      if (end < sorted.size()) return std::max(threshold, 0.5 * (highest + sorted[end]));
      const double step = begin > 0 ? highest - sorted[begin - 1] : highest - sorted.front();
      return std::max(threshold, highest + std::max(0.5 * step, 2.0 * rounding));
    }
    end = begin;
  }
  return threshold;
}

}  // namespace millwright::lab
