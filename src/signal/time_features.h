// SPDX-License-Identifier: Apache-2.0
// Statistics of a window in time.
#pragma once

#include <cstddef>
#include <span>

namespace millwright::signal {

inline constexpr size_t kTimeFeatures = 10;

// What one look at the samples gives.
struct TimeLevel {
  double sum = 0.0;
  double sum_abs = 0.0;
  double sum_sqrt_abs = 0.0;
  float max = 0.0F;
  float min = 0.0F;
};

// Moments are taken about the rounded mean and scaled by a power of two, so that no power overflows; what rounding left
// of the first moment is taken out of the others exactly.
struct TimeCentre {
  float value = 0.0F;
  int exponent = 0;
};

// Sums of d^1 .. d^4 with d = (x - centre) / 2^exponent.
struct TimePowers {
  double one = 0.0, two = 0.0, three = 0.0, four = 0.0;
};

TimeCentre centre_of(const TimeLevel& level, size_t n);
void finish_time_features(const TimeLevel& level, TimeCentre centre, const TimePowers& sums, size_t n,
                          std::span<float, kTimeFeatures> out);

// rms, peak, crest, excess kurtosis, skewness, peak to peak, mean abs, variance, impulse factor = peak / mean abs,
// clearance factor = peak / (mean sqrt abs)^2. Moments are population moments about the mean. A ratio that would be
// 0 / 0 is 0. `x` is not empty.
void time_features(std::span<const float> x, std::span<float, kTimeFeatures> out);

}  // namespace millwright::signal
