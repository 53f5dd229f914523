// SPDX-License-Identifier: Apache-2.0
#include "edge/trend.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace millwright::edge {
namespace {

constexpr double kLimit = 10.0;

TEST(Trend, NoiseIsNoTrend) {
  int seeds_with_trend = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Trend trend({});
    bool rising = false;
    for (int i = 0; i < 5000; ++i) rising |= trend.stroke(3.0 + random.normal(), kLimit).rising;
    seeds_with_trend += rising ? 1 : 0;
  }
  EXPECT_EQ(seeds_with_trend, 0);
}

TEST(Trend, LoadChangesAreNoTrend) {
  int seeds_with_trend = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Trend trend({});
    double load = 0.0;
    bool rising = false;
    for (int i = 0; i < 5000; ++i) {
      if (i % 50 == 0) load = 0.5 * random.normal();
      rising |= trend.stroke(3.0 + load + 0.5 * random.normal(), kLimit).rising;
    }
    seeds_with_trend += rising ? 1 : 0;
  }
  EXPECT_LE(seeds_with_trend, 1);
}

TEST(Trend, OutliersAreNoTrend) {
  Random random(3);
  Trend trend({});
  bool rising = false;
  for (int i = 0; i < 4000; ++i) {
    const double outlier = random.below(10) == 0 ? 50.0 : 0.0;
    rising |= trend.stroke(3.0 + 0.5 * random.normal() + outlier, kLimit).rising;
  }
  EXPECT_FALSE(rising);
}

TEST(Trend, WearIsAnnouncedWithTheStrokesLeft) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    Trend trend({});
    const int begin = 400;
    const int reaches_limit = 1400;
    int announced = 0;
    double worst_ratio = 1.0;
    for (int i = 0; i < reaches_limit; ++i) {
      const double wear = i < begin ? 0.0 : 7.0 * (i - begin) / (reaches_limit - begin);
      const auto now = trend.stroke(3.0 + wear + 0.5 * random.normal(), kLimit);
      if (now.rising && announced == 0) announced = i;
      if (now.rising && i > 900 && i < 1300) {
        const double ratio = now.strokes_left / static_cast<double>(reaches_limit - i);
        worst_ratio = std::abs(std::log(ratio)) > std::abs(std::log(worst_ratio)) ? ratio : worst_ratio;
      }
    }
    EXPECT_GT(announced, begin) << seed;
    EXPECT_LT(announced, 900) << seed;
    EXPECT_GT(worst_ratio, 0.5) << seed;
    EXPECT_LT(worst_ratio, 2.0) << seed;
  }
}

}  // namespace
}  // namespace millwright::edge
