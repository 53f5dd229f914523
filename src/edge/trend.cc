// SPDX-License-Identifier: Apache-2.0
#include "edge/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace millwright::edge {

Trend::Trend(const TrendOptions& options) : options_(options) {
  MW_CHECK(options.group >= 1 && options.group <= kMaxGroup, "the configuration bounds the group");
}

void Trend::reset() {
  in_group_ = 0;
  count_ = 0;
  agreed_ = 0;
  current_ = {};
}

model::Trend Trend::stroke(double raw, double limit) {
  if (!std::isfinite(raw)) return current_;
  group_[in_group_++] = raw;
  if (current_.rising && current_.strokes_left > 0) --current_.strokes_left;
  if (in_group_ < options_.group) return current_;
  in_group_ = 0;
  add_median(limit);
  return current_;
}

void Trend::add_median(double limit) {
  const auto middle = group_.begin() + options_.group / 2;
  std::nth_element(group_.begin(), middle, group_.begin() + options_.group);
  if (count_ == kHistory) {
    std::move(medians_.begin() + 1, medians_.end(), medians_.begin());
    --count_;
  }
  medians_[count_++] = *middle;
  if (count_ >= kEnough) estimate(limit);
}

void Trend::estimate(double limit) {
  size_t pairs = 0;
  int64_t s = 0;
  for (size_t i = 0; i < count_; ++i) {
    for (size_t j = i + 1; j < count_; ++j) {
      const double difference = medians_[j] - medians_[i];
      s += difference > 0.0 ? 1 : (difference < 0.0 ? -1 : 0);
      slopes_[pairs++] = difference / static_cast<double>(j - i);
    }
  }
  const auto middle = slopes_.begin() + static_cast<ptrdiff_t>(pairs / 2);
  std::nth_element(slopes_.begin(), middle, slopes_.begin() + static_cast<ptrdiff_t>(pairs));
  const double slope = *middle;  // per group
  const auto n = static_cast<double>(count_);
  const double z = static_cast<double>(s) / std::sqrt(n * (n - 1.0) * (2.0 * n + 5.0) / 18.0);

  // Where the line stands now, by the newer half, and where it began, by the older one: the median of what each of
  // their medians says.
  const size_t half = count_ / 2;
  std::array<double, kHistory> says{};
  const auto level_at = [&](size_t from, size_t to, size_t at) {
    for (size_t i = from; i < to; ++i) {
      says[i - from] = medians_[i] + slope * (static_cast<double>(at) - static_cast<double>(i));
    }
    const auto centre = says.begin() + static_cast<ptrdiff_t>((to - from) / 2);
    std::nth_element(says.begin(), centre, says.begin() + static_cast<ptrdiff_t>(to - from));
    return *centre;
  };
  const double begin = level_at(0, half, 0);
  const double now = level_at(half, count_, count_ - 1);
  const double groups_left = slope > 0.0 ? std::max(0.0, limit - now) / slope : std::numeric_limits<double>::infinity();
  const bool large = slope * (n - 1.0) >= options_.rise * std::max(limit - begin, 0.0);
  const bool rising = slope > 0.0 && z >= options_.significance && large && groups_left <= options_.horizon * n;
  // Stable: the forecast did not jump by more than half since the last group.
  const double left = groups_left * options_.group;
  const bool stable = agreed_ == 0 || std::abs(left - left_) <= 0.5 * std::max(left_, left) + options_.group;
  agreed_ = rising ? (stable ? agreed_ + 1 : 1) : 0;
  left_ = rising ? left : 0.0;
  current_.rising = agreed_ >= options_.confirmations || (current_.rising && agreed_ > 0);
  constexpr double kMost = 4e9;
  current_.strokes_left = current_.rising ? static_cast<uint32_t>(std::min(left, kMost)) : 0;
}

}  // namespace millwright::edge
