// SPDX-License-Identifier: Apache-2.0
#include "signal/time_features.h"

#include <algorithm>
#include <cmath>

#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

// Sums of this many floats stay in float, in several vector lanes; blocks are added up in double.
constexpr size_t kBlock = 256;

MW_VECTORISED void measure_level(const float* x, size_t n, TimeLevel* level) {
  float high = x[0];
  float low = x[0];
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = std::min(n, begin + kBlock);
    float sum = 0.0F;
    float sum_abs = 0.0F;
    float sum_sqrt = 0.0F;
    for (size_t i = begin; i < end; ++i) {
      const float magnitude = std::fabs(x[i]);
      sum += x[i];
      sum_abs += magnitude;
      sum_sqrt += std::sqrt(magnitude);
      high = x[i] > high ? x[i] : high;
      low = x[i] < low ? x[i] : low;
    }
    level->sum += sum;
    level->sum_abs += sum_abs;
    level->sum_sqrt_abs += sum_sqrt;
  }
  level->max = high;
  level->min = low;
}

MW_VECTORISED void measure_powers(const float* x, size_t n, float centre, float scale, TimePowers* sums) {
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = std::min(n, begin + kBlock);
    float one = 0.0F;
    float two = 0.0F;
    float three = 0.0F;
    float four = 0.0F;
    for (size_t i = begin; i < end; ++i) {
      const float d = (x[i] - centre) * scale;
      const float square = d * d;
      one += d;
      two += square;
      three += square * d;
      four += square * square;
    }
    sums->one += one;
    sums->two += two;
    sums->three += three;
    sums->four += four;
  }
}

double ratio(double a, double b) { return b > 0.0 ? a / b : 0.0; }

}  // namespace

TimeCentre centre_of(const TimeLevel& level, size_t n) {
  const double range = static_cast<double>(level.max) - level.min;
  return {static_cast<float>(level.sum / static_cast<double>(n)),
          range > 0.0 ? std::clamp(std::ilogb(range), -100, 100) : 0};
}

void finish_time_features(const TimeLevel& level, TimeCentre centre, const TimePowers& sums, size_t length,
                          std::span<float, kTimeFeatures> out) {
  const auto n = static_cast<double>(length);
  const double peak = std::max(std::fabs(level.max), std::fabs(level.min));
  const double range = static_cast<double>(level.max) - level.min;
  const double mean_abs = level.sum_abs / n;
  const double mean_sqrt = level.sum_sqrt_abs / n;
  double variance = 0.0;
  double skewness = 0.0;
  double kurtosis = 0.0;
  double mean = centre.value;
  if (range > 0.0) {
    const double m1 = sums.one / n;
    const double m2 = sums.two / n - m1 * m1;
    const double m3 = sums.three / n - 3.0 * m1 * sums.two / n + 2.0 * m1 * m1 * m1;
    const double m4 =
        sums.four / n - 4.0 * m1 * sums.three / n + 6.0 * m1 * m1 * sums.two / n - 3.0 * m1 * m1 * m1 * m1;
    mean += std::ldexp(m1, centre.exponent);
    variance = std::ldexp(std::max(m2, 0.0), 2 * centre.exponent);
    if (m2 > 0.0) {
      skewness = m3 / (m2 * std::sqrt(m2));
      kurtosis = m4 / (m2 * m2) - 3.0;
    }
  }
  const double rms = std::sqrt(variance + mean * mean);
  const double values[kTimeFeatures] = {rms,
                                        peak,
                                        ratio(peak, rms),
                                        kurtosis,
                                        skewness,
                                        range,
                                        mean_abs,
                                        variance,
                                        ratio(peak, mean_abs),
                                        ratio(peak, mean_sqrt * mean_sqrt)};
  std::ranges::transform(values, out.begin(), [](double value) { return static_cast<float>(value); });
}

void time_features(std::span<const float> x, std::span<float, kTimeFeatures> out) {
  TimeLevel level;
  measure_level(x.data(), x.size(), &level);
  const TimeCentre centre = centre_of(level, x.size());
  TimePowers sums;
  if (level.max > level.min) {
    measure_powers(x.data(), x.size(), centre.value, std::ldexp(1.0F, -centre.exponent), &sums);
  }
  finish_time_features(level, centre, sums, x.size(), out);
}

}  // namespace millwright::signal
