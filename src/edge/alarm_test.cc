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

TEST(Alarm, TheEndOfAShelfThatIsNoneChangesNothing) {
  Alarm alarm({.raise_n = 1, .raise_m = 1, .clear_score = 0.4, .clear_strokes = 1});
  alarm.stroke(0.9, true, kSecond);
  alarm.acknowledge();
  const uint64_t raised = alarm.raised();
  alarm.end_shelf(2 * kSecond);
  EXPECT_EQ(alarm.state(), kAcknowledged);
  EXPECT_EQ(alarm.raised(), raised);
  alarm.shelve(100 * kSecond);
  EXPECT_FALSE(alarm.active());
  alarm.end_shelf(3 * kSecond);
  EXPECT_TRUE(alarm.active());
}

TEST(Alarm, ALatchedAlarmStaysLatchedThroughShelving) {
  Alarm alarm({.raise_n = 1, .raise_m = 1, .clear_strokes = 1, .latch = true});
  alarm.stroke(0.9, true, kSecond);
  alarm.stroke(0.1, false, 2 * kSecond);
  ASSERT_EQ(alarm.state(), kReturnUnacknowledged);
  alarm.shelve(10 * kSecond);
  EXPECT_FALSE(alarm.active());
  alarm.tick(20 * kSecond);
  EXPECT_EQ(alarm.state(), kReturnUnacknowledged);
  alarm.shelve(30 * kSecond);
  alarm.acknowledge();
  alarm.tick(40 * kSecond);
  EXPECT_EQ(alarm.state(), kNormal);
}

TEST(Alarm, ItsMemoryIsAllThatARestartNeeds) {
  const AlarmOptions options{.raise_n = 2, .raise_m = 3, .clear_strokes = 2, .latch = true};
  Alarm before(options);
  before.stroke(0.9, true, kSecond);
  Alarm debouncing(options);
  debouncing.restore(before.memory());
  debouncing.stroke(0.9, true, 2 * kSecond);
  EXPECT_EQ(debouncing.state(), kUnacknowledged);
  debouncing.stroke(0.1, false, 3 * kSecond);
  Alarm clearing(options);
  clearing.restore(debouncing.memory());
  EXPECT_TRUE(clearing.active());
  clearing.stroke(0.1, false, 4 * kSecond);
  EXPECT_EQ(clearing.state(), kReturnUnacknowledged);
  clearing.shelve(100 * kSecond);
  Alarm latched(options);
  latched.restore(clearing.memory());
  EXPECT_EQ(latched.state(), kReturnUnacknowledged);
  Alarm foreign(options);
  foreign.restore({.state = 0x77, .recent = ~0ULL});
  EXPECT_EQ(foreign.state(), kNormal);
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
