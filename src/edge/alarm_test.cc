// SPDX-License-Identifier: Apache-2.0
#include "edge/alarm.h"

#include <gtest/gtest.h>

namespace millwright::edge {
namespace {

using enum AlarmState;
constexpr int64_t kSecond = 1'000'000'000;

struct Chain {
  const char* what;
  bool latch;
  std::vector<AlarmEvent> events;
  AlarmState end;
};

TEST(AlarmTable, ChainsOfEventsEndWhereIsa182Says) {
  using enum AlarmEvent;
  const std::vector<Chain> chains = {
      {"raise", false, {kRaise}, kUnacknowledged},
      {"raise, clear", false, {kRaise, kClear}, kNormal},
      {"raise, clear, latched", true, {kRaise, kClear}, kReturnUnacknowledged},
      {"latched until acknowledged", true, {kRaise, kClear, kAcknowledge}, kNormal},
      {"back before acknowledged", true, {kRaise, kClear, kRaise}, kUnacknowledged},
      {"acknowledged stands", true, {kRaise, kAcknowledge}, kAcknowledged},
      {"acknowledged, then gone", true, {kRaise, kAcknowledge, kClear}, kNormal},
      {"acknowledging nothing", false, {kAcknowledge}, kNormal},
      {"shelved says nothing", false, {kShelve, kRaise, kClear, kAcknowledge}, kShelved},
      {"unshelved", false, {kRaise, kShelve, kUnshelve}, kNormal},
  };
  for (const Chain& chain : chains) {
    AlarmState state = kNormal;
    for (const AlarmEvent event : chain.events) state = next_state(state, event, chain.latch);
    EXPECT_EQ(state, chain.end) << chain.what << ": " << name(state);
  }
}

class AlarmTest : public testing::Test {
 protected:
  void alerts(int n) {
    for (int i = 0; i < n; ++i) alarm_.stroke(0.8, true, now_ += kSecond);
  }
  void normals(int n, double score = 0.1) {
    for (int i = 0; i < n; ++i) alarm_.stroke(score, false, now_ += kSecond);
  }
  int64_t now_ = 0;
  Alarm alarm_{{.raise_n = 3, .raise_m = 5, .clear_score = 0.4, .clear_strokes = 4}};
};

TEST_F(AlarmTest, SingleOutliersDoNotRaiseIt) {
  for (int i = 0; i < 20; ++i) {
    alerts(1);
    normals(4);
  }
  EXPECT_FALSE(alarm_.active());
  EXPECT_EQ(alarm_.raised(), 0U);
}

TEST_F(AlarmTest, ThreeOfFiveRaiseIt) {
  alerts(1);
  normals(1);
  alerts(1);
  EXPECT_FALSE(alarm_.active());
  alerts(1);
  EXPECT_TRUE(alarm_.active());
}

TEST_F(AlarmTest, ItClearsOnlyWellBelowTheThreshold) {
  alerts(3);
  normals(20, 0.45);
  EXPECT_TRUE(alarm_.active());
  normals(3);
  EXPECT_TRUE(alarm_.active());
  normals(1);
  EXPECT_FALSE(alarm_.active());
}

TEST_F(AlarmTest, AShelvedAlarmComesBackWhileTheConditionStands) {
  alerts(3);
  alarm_.shelve(now_ + 100 * kSecond);
  EXPECT_FALSE(alarm_.active());
  alerts(10);
  EXPECT_FALSE(alarm_.active());
  alarm_.tick(now_ + 200 * kSecond);
  EXPECT_EQ(alarm_.state(), kUnacknowledged);
}

TEST(Alarm, ItCallsOnlySoOftenPerHourAndCountsTheRest) {
  Alarm alarm({.raise_n = 1, .raise_m = 1, .clear_score = 0.4, .clear_strokes = 1, .max_calls_per_hour = 4});
  int64_t now = 0;
  for (int i = 0; i < 10; ++i) {
    alarm.stroke(0.9, true, now += kSecond);
    alarm.stroke(0.1, false, now += kSecond);
  }
  EXPECT_EQ(alarm.raised(), 10U);
  EXPECT_EQ(alarm.suppressed(), 6U);
  alarm.stroke(0.9, true, now + 3600 * kSecond);
  EXPECT_EQ(alarm.suppressed(), 6U);
}

}  // namespace
}  // namespace millwright::edge
