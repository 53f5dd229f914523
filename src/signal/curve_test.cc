// SPDX-License-Identifier: Apache-2.0
#include "signal/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace millwright::signal {
namespace {

std::vector<float> reference_curve() {
  std::vector<float> y(101);
  for (size_t i = 0; i < y.size(); ++i) {
    const auto t = static_cast<double>(i);
    y[i] = static_cast<float>(2.0 * std::exp(-std::pow((t - 60.0) / 15.0, 2)) + 0.3 * std::sin(0.7 * t) + 0.01 * t);
  }
  return y;
}

std::vector<float> statistics(std::span<const float> curve) {
  std::vector<float> scratch(curve.size());
  std::vector<float> out(kCurveStatistics);
  curve_statistics(curve, scratch, out);
  return out;
}

// Reference values of NumPy 2.2.4 and SciPy 1.15.3: tests/reference/curve.py.
TEST(CurveStatistics, agree_with_numpy_and_scipy) {
  const std::vector<double> expected = {1.02907749,  0.833086618,    -0.224728212, 2.73925591,  0.07,
                                        0.65,        2.25070352e-07, 1.23379922,   1.03319927,  1.58740477,
                                        0.314200073, 0.907433271,    1.7125566,    0.512574313, -0.790588497,
                                        0.157508897, 0.305067182,    -0.29784894,  13.6431194,  0.07};
  const std::vector<float> got = statistics(reference_curve());
  for (size_t i = 0; i < kCurveStatistics; ++i) {
    EXPECT_NEAR(got[i], expected[i], 2e-6 * std::max(1.0, std::abs(expected[i]))) << kCurveStatisticNames[i];
  }
}

TEST(CurveStatistics, of_a_constant_curve_are_finite_and_shapeless) {
  const std::vector<float> got = statistics(std::vector<float>(50, 7.1F));
  for (size_t i = 0; i < kCurveStatistics; ++i) EXPECT_TRUE(std::isfinite(got[i])) << kCurveStatisticNames[i];
  EXPECT_FLOAT_EQ(got[0], 7.1F);
  EXPECT_NEAR(got[1], 0.0, 1e-6);
  EXPECT_EQ(got[13], 0.0F);
  EXPECT_EQ(got[14], 0.0F);
}

TEST(CurveStatistics, of_a_straight_line_have_its_slope_and_no_roughness_but_its_step) {
  const std::vector<float> got = statistics(std::vector<float>{0.0F, 1.0F, 2.0F, 3.0F, 4.0F});
  EXPECT_FLOAT_EQ(got[9], 4.0F);
  EXPECT_FLOAT_EQ(got[15], 1.0F);
  EXPECT_FLOAT_EQ(got[16], got[17]);
}

TEST(ResampleLinear, agrees_with_numpy_interp) {
  const std::vector<double> expected = {2.25070352e-07, -0.0543965859, 0.142378733, 1.65390599,
                                        2.43136811,     1.28957323,    1.23379922};
  std::vector<float> got(expected.size());
  resample_linear(reference_curve(), got);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(ResampleLinear, keeps_a_curve_that_already_has_the_length_and_both_ends_of_any_other) {
  const std::vector<float> curve = reference_curve();
  std::vector<float> same(curve.size());
  resample_linear(curve, same);
  EXPECT_THAT(same, testing::Pointwise(testing::FloatEq(), curve));
  std::vector<float> more(777);
  resample_linear(curve, more);
  EXPECT_FLOAT_EQ(more.front(), curve.front());
  EXPECT_FLOAT_EQ(more.back(), curve.back());
}

TEST(ResampleLinear, repeats_a_single_sample_and_takes_the_middle_for_a_single_point) {
  std::vector<float> out(3);
  resample_linear(std::vector<float>{5.0F}, out);
  EXPECT_THAT(out, testing::Each(5.0F));
  std::vector<float> one(1);
  resample_linear(std::vector<float>{0.0F, 1.0F, 4.0F}, one);
  EXPECT_FLOAT_EQ(one[0], 1.0F);
}

}  // namespace
}  // namespace millwright::signal
