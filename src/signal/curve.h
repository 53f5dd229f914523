// SPDX-License-Identifier: Apache-2.0
// Features of a curve whose axis is not time: torque over angle, force over displacement. Pure functions on spans.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace millwright::signal {

inline constexpr size_t kCurveStatistics = 20;

// The order of what curve_statistics() writes. x runs from 0 at the first sample to 1 at the last; y is the curve.
//   mean, std          population moments
//   min, max           and the x of their first occurrence
//   first, last        the end samples
//   area               trapezoidal rule over x
//   slope              of the least-squares line over x
//   q25, median, q75   linear interpolation between order statistics (NumPy's default)
//   skewness, kurtosis population, excess; 0 where the variance vanishes
//   roughness          RMS of the differences of neighbours
//   rise, fall         the largest and the smallest difference of neighbours
//   travel             sum of the absolute differences
//   crossings          share of neighbouring pairs between which y crosses its mean
inline constexpr std::array<std::string_view, kCurveStatistics> kCurveStatisticNames = {
    "mean", "std",    "min", "max",      "min position", "max position", "first", "last", "area",   "slope",
    "q25",  "median", "q75", "skewness", "kurtosis",     "roughness",    "rise",  "fall", "travel", "crossings"};

// Writes kCurveStatistics floats to `out`. `curve` has at least 2 finite samples; `scratch` at least as many floats
// (the order statistics are found there). Neither allocates nor fails. Sums are in double precision.
void curve_statistics(std::span<const float> curve, std::span<float> scratch, std::span<float> out);

// Linear interpolation of `curve` (at least 1 sample) at out.size() points that are evenly spaced over its length,
// both ends included; a single point is the middle. Neither allocates nor fails.
void resample_linear(std::span<const float> curve, std::span<float> out);

}  // namespace millwright::signal
