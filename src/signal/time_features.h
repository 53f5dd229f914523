// SPDX-License-Identifier: Apache-2.0
// Statistics of a window in time.
#pragma once

#include <cstddef>
#include <span>

namespace millwright::signal {

inline constexpr size_t kTimeFeatures = 10;

// rms, peak, crest, excess kurtosis, skewness, peak to peak, mean abs, variance, impulse factor = peak / mean abs,
// clearance factor = peak / (mean sqrt abs)^2. Moments are population moments about the mean. A ratio that would be
// 0 / 0 is 0. `x` is not empty.
void time_features(std::span<const float> x, std::span<float, kTimeFeatures> out);

}  // namespace millwright::signal
