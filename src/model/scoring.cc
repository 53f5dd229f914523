// SPDX-License-Identifier: Apache-2.0
#include "model/scoring.h"

#include <algorithm>
#include <cmath>

namespace millwright::model {

Status Threshold::validate() const {
  for (const double value : {offset, threshold, high, critical, false_alarm_rate, ci95_low, ci95_high}) {
    if (!std::isfinite(value)) return fail(ErrorCode::kInvalidInput, "threshold: every number must be finite");
  }
  if (threshold <= offset) {
    return fail(ErrorCode::kInvalidInput, "threshold: {} must be above the offset {}", threshold, offset);
  }
  if (high < threshold || critical < high) {
    return fail(ErrorCode::kInvalidInput, "threshold: levels must rise: medium {} high {} critical {}", threshold, high,
                critical);
  }
  if (false_alarm_rate < 0.0 || false_alarm_rate >= 1.0) {
    return fail(ErrorCode::kInvalidInput, "threshold: false_alarm_rate {} must be in [0, 1)", false_alarm_rate);
  }
  return {};
}

Severity Threshold::severity(double raw) const {
  if (raw >= critical) return Severity::kCritical;
  if (raw >= high) return Severity::kHigh;
  if (raw >= threshold) return Severity::kMedium;
  return Severity::kLow;
}

double Threshold::score01(double raw) const {
  if (std::isnan(raw)) return raw;
  if (std::isinf(raw)) return raw > 0 ? 1.0 : 0.0;
  const double excess = raw - offset;
  if (excess <= 0.0) return 0.0;
  return excess / (excess + (threshold - offset));
}

Top top_features(std::span<const float> contributions) {
  Top top;
  double total = 0.0;
  for (size_t i = 0; i < contributions.size(); ++i) {
    const float value = contributions[i];
    if (!std::isfinite(value) || value <= 0.0F) continue;
    total += value;
    // Insertion into a short sorted list; the shares are raw values until the end.
    size_t place = top.count;
    while (place > 0 && top.items[place - 1].share < value) --place;
    if (place >= kTopCount) continue;
    const size_t last = std::min<size_t>(top.count, kTopCount - 1);
    for (size_t k = last; k > place; --k) top.items[k] = top.items[k - 1];
    top.items[place] = TopFeature{static_cast<uint16_t>(i), value};
    top.count = static_cast<uint8_t>(std::min<size_t>(top.count + 1U, kTopCount));
  }
  for (uint8_t k = 0; k < top.count; ++k) top.items[k].share = static_cast<float>(top.items[k].share / total);
  return top;
}

}  // namespace millwright::model
