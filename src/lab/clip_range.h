// SPDX-License-Identifier: Apache-2.0
// Where to cut a distribution before it is told in 255 steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace millwright::lab {

// How the range of an activation is chosen.
enum class CalibrationMethod {
  kMinMax,      // all that was seen
  kEntropy,     // least Kullback-Leibler divergence between the distribution and what quantisation leaves of it
  kPercentile,  // all but the outermost values
  kMse,         // least mean squared error, rounding and clipping together
};
std::string_view name(CalibrationMethod method);
std::optional<CalibrationMethod> calibration_method(std::string_view name);

inline constexpr size_t kCalibrationBins = 2048;
inline constexpr double kCalibrationPercentile = 99.999;

// Values that an activation takes; holds 0, so that 0 is told exactly.
struct Range {
  float low = 0.0F;
  float high = 0.0F;
  bool operator==(const Range&) const = default;
};

// Counts of values in equal bins from `low` to `high`, both within the first and last bin. What is exactly 0, half of
// all after a Relu, is counted apart: it is told exactly whatever the range, and as a spike in one bin it would look
// like something that rounding smears.
struct Histogram {
  double low = 0.0;
  double high = 0.0;
  std::vector<uint64_t> counts = std::vector<uint64_t>(kCalibrationBins, 0);
  uint64_t zeros = 0;

  void add(float value);
  [[nodiscard]] double width() const { return (high - low) / static_cast<double>(counts.size()); }
};

// Between the ends of the histogram, never beyond. An empty or one-valued histogram is not cut.
Range clip_range(const Histogram& histogram, CalibrationMethod method, double percentile = kCalibrationPercentile);

}  // namespace millwright::lab
