// SPDX-License-Identifier: Apache-2.0
#include "lab/clip_range.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace millwright::lab {
namespace {

constexpr auto kAll = {CalibrationMethod::kMinMax, CalibrationMethod::kEntropy, CalibrationMethod::kPercentile,
                       CalibrationMethod::kMse};

Histogram histogram_of(const std::vector<float>& values) {
  Histogram histogram;
  for (const float value : values) {
    histogram.low = std::min<double>(histogram.low, value);
    histogram.high = std::max<double>(histogram.high, value);
  }
  for (const float value : values) histogram.add(value);
  return histogram;
}

std::vector<float> normal_values(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

// What 255 steps over the range make of the values.
double mean_squared_error(const std::vector<float>& values, const Range& range) {
  const double step = (static_cast<double>(range.high) - range.low) / 255.0;
  double sum = 0.0;
  for (const float value : values) {
    const double told = std::clamp(std::nearbyint((value - range.low) / step), 0.0, 255.0) * step + range.low;
    sum += (value - told) * (value - told);
  }
  return sum / static_cast<double>(values.size());
}

TEST(ClipRange, MinMaxKeepsAll) {
  const Range range = clip_range(histogram_of({-2.0F, 0.5F, 3.0F}), CalibrationMethod::kMinMax);
  EXPECT_EQ(range, (Range{-2.0F, 3.0F}));
}

TEST(ClipRange, EveryRangeHoldsZeroAndStaysWithinWhatWasSeen) {
  std::vector<float> above = normal_values(10'000, 1);
  for (float& value : above) value = 5.0F + 0.1F * value;
  for (const auto method : kAll) {
    const Histogram histogram = histogram_of(above);
    const Range range = clip_range(histogram, method);
    EXPECT_EQ(range.low, 0.0F) << name(method);
    EXPECT_GT(range.high, 0.0F) << name(method);
    EXPECT_LE(range.high, histogram.high) << name(method);
  }
}

TEST(ClipRange, AnOutlierIsCutByAllButMinMax) {
  std::vector<float> values = normal_values(2'000'000, 2);
  values.push_back(60.0F);
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(clip_range(histogram, CalibrationMethod::kMinMax).high, 60.0F);
  for (const auto method : {CalibrationMethod::kEntropy, CalibrationMethod::kPercentile, CalibrationMethod::kMse}) {
    const Range range = clip_range(histogram, method);
    EXPECT_LT(range.high, 30.0F) << name(method);
    EXPECT_GT(range.high, 2.0F) << name(method);
    EXPECT_LT(mean_squared_error(values, range), mean_squared_error(values, {range.low, 60.0F})) << name(method);
  }
}

// Checked against the error itself rather than the histogram's idea of it.
TEST(ClipRange, MseIsCloseToTheBestThatACutCanGive) {
  const std::vector<float> values = normal_values(50'000, 3);
  const Range found = clip_range(histogram_of(values), CalibrationMethod::kMse);
  double best = 1e9;
  for (double end = 1.0; end < 5.0; end += 0.05) {
    best = std::min(best, mean_squared_error(values, {static_cast<float>(-end), static_cast<float>(end)}));
  }
  EXPECT_LT(mean_squared_error(values, found), 1.02 * best);
}

// Half of what a Relu gives is exactly 0: a spike that must not draw the range to it.
TEST(ClipRange, ZerosDoNotDrawTheRange) {
  std::vector<float> values = normal_values(100'000, 4);
  for (float& value : values) value = std::max(value, 0.0F);
  const Range range = clip_range(histogram_of(values), CalibrationMethod::kEntropy);
  EXPECT_EQ(range.low, 0.0F);
  EXPECT_GT(range.high, 2.5F);
}

TEST(ClipRange, PercentileLeavesTheStatedShareOutside) {
  const std::vector<float> values = normal_values(100'000, 5);
  const Range range = clip_range(histogram_of(values), CalibrationMethod::kPercentile, 99.0);
  size_t outside = 0;
  for (const float value : values) outside += value > range.high ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(outside), 1'000.0, 60.0);
}

TEST(ClipRange, NothingSeenAndOneValueSeenAreNotCut) {
  for (const auto method : kAll) {
    EXPECT_EQ(clip_range({}, method), (Range{0.0F, 0.0F}));
    Histogram one;
    one.low = one.high = 2.0;
    EXPECT_EQ(clip_range(one, method), (Range{0.0F, 2.0F}));
  }
}

}  // namespace
}  // namespace millwright::lab
