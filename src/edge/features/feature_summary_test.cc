// SPDX-License-Identifier: Apache-2.0
#include "edge/features/feature_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/random.h"

namespace millwright::edge {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

// Asks, lets one stroke come, takes.
FeatureStatistics take_with(FeatureSummary& summary, std::span<const float> next) {
  EXPECT_FALSE(summary.take());
  summary.add(next);
  auto found = summary.take();
  EXPECT_TRUE(found);
  return found.value_or(FeatureStatistics{});
}

TEST(FeatureSummary, SaysWhatThePeriodHeld) {
  FeatureSummary summary(2);
  // By hand: 1, 2, 3, 4 and 10, 10, 10, 14.
  for (const auto& row : {std::array{1.0F, 10.0F}, {2.0F, 10.0F}, {3.0F, 10.0F}, {4.0F, 14.0F}}) summary.add(row);
  const FeatureStatistics found = take_with(summary, std::array{100.0F, 100.0F});
  EXPECT_EQ(found.strokes, 4U);
  EXPECT_THAT(found.mean, ElementsAre(2.5, 11.0));
  EXPECT_THAT(found.sd, ElementsAre(DoubleNear(1.2909944487, 1e-9), 2.0));
  EXPECT_THAT(found.low, ElementsAre(1.0F, 10.0F));
  EXPECT_THAT(found.high, ElementsAre(4.0F, 14.0F));
}

TEST(FeatureSummary, TheStrokeThatCameAfterTheQuestionIsOfTheNextPeriod) {
  FeatureSummary summary(1);
  summary.add(std::array{1.0F});
  EXPECT_EQ(take_with(summary, std::array{7.0F}).strokes, 1U);
  summary.add(std::array{9.0F});
  const FeatureStatistics second = take_with(summary, std::array{0.0F});
  EXPECT_EQ(second.strokes, 2U);
  EXPECT_THAT(second.mean, ElementsAre(8.0));
}

TEST(FeatureSummary, APeriodWithoutStrokesGivesNothing) {
  FeatureSummary summary(1);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(summary.take());
  summary.add(std::array{1.0F});
  EXPECT_FALSE(summary.take());  // the period before that stroke was empty
}

TEST(FeatureSummary, ASmallSpreadAboutALargeMeanIsSeen) {
  FeatureSummary summary(1);
  Random random(1);
  for (int i = 0; i < 10'000; ++i) summary.add(std::array{1e6F + static_cast<float>(random.uniform())});
  const FeatureStatistics found = take_with(summary, std::array{0.0F});
  EXPECT_NEAR(found.sd[0], 0.2887, 0.01);
  EXPECT_NEAR(found.mean[0], 1e6 + 0.5, 0.05);
}

TEST(FeatureSummary, NoStrokeIsCountedTwiceOrForgottenWhileBothSidesRun) {
  constexpr uint64_t kStrokes = 200'000;
  FeatureSummary summary(4);
  std::atomic<bool> done{false};
  std::thread strokes([&] {
    for (uint64_t i = 0; i < kStrokes; ++i) summary.add(std::array{1.0F, 2.0F, 3.0F, 4.0F});
    done = true;
  });
  uint64_t seen = 0;
  const auto look = [&] {
    if (const auto found = summary.take()) {
      seen += found->strokes;
      EXPECT_EQ(found->mean[3], 4.0);
    }
  };
  while (!done) look();
  strokes.join();
  // What is gathered comes out with the next stroke; one more question takes what was ready already.
  look();
  look();
  summary.add(std::array{1.0F, 2.0F, 3.0F, 4.0F});
  look();
  EXPECT_GE(seen, kStrokes);
  EXPECT_LE(seen, kStrokes + 1);
}

}  // namespace
}  // namespace millwright::edge
