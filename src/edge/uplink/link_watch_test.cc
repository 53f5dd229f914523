// SPDX-License-Identifier: Apache-2.0
// What the uplink says of a broker that takes nothing, or of a hub that confirms nothing.
#include <gtest/gtest.h>

#include "edge/uplink/confirmation_watch.h"
#include "edge/uplink/refusals.h"
#include "edge/uplink/rising_total.h"

namespace millwright::edge {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
using Watch = ConfirmationWatch;

// Looks each second from `from_s` until before `to_s`; how often something changed.
int changes(Watch& watch, int64_t from_s, int64_t to_s, bool connected, uint64_t waiting, uint64_t delivered) {
  int count = 0;
  for (int64_t s = from_s; s < to_s; ++s) {
    count += watch.look(s * kSecond, connected, waiting, delivered) != Watch::Change::kNone ? 1 : 0;
  }
  return count;
}

TEST(ConfirmationWatch, SaysOnceThatNobodyConfirmsAndOnceThatSomebodyDoes) {
  Watch watch;
  EXPECT_EQ(changes(watch, 0, 300, true, 2, 0), 0);
  EXPECT_EQ(watch.look(300 * kSecond, true, 2, 0), Watch::Change::kOverdue);
  EXPECT_TRUE(watch.overdue());
  EXPECT_EQ(watch.waited_ns(), 300 * kSecond);
  EXPECT_EQ(changes(watch, 301, 5'000, true, 3, 0), 0) << "once";
  EXPECT_EQ(watch.look(5'000 * kSecond, true, 2, 1), Watch::Change::kConfirmed);
  EXPECT_FALSE(watch.overdue());
  EXPECT_EQ(changes(watch, 5'001, 5'301, true, 2, 1), 0) << "and from then on anew";
  EXPECT_EQ(watch.look(5'301 * kSecond, true, 2, 1), Watch::Change::kOverdue);
}

TEST(ConfirmationWatch, WaitsOnlyWhileABrokerIsThereAndAnAlertToConfirm) {
  Watch watch;
  EXPECT_EQ(changes(watch, 0, 10'000, false, 5, 0), 0) << "no broker";
  EXPECT_EQ(changes(watch, 10'000, 20'000, true, 0, 0), 0) << "no alert";
  for (int64_t s = 20'000; s < 21'000; s += 100) {
    EXPECT_EQ(watch.look(s * kSecond, true, 5, static_cast<uint64_t>(s)), Watch::Change::kNone) << "they leave";
  }
  EXPECT_EQ(changes(watch, 21'000, 21'299, true, 5, 21'000 - 100), 0);
  EXPECT_EQ(watch.look(21'299 * kSecond, false, 5, 20'900), Watch::Change::kNone) << "the time begins anew";
  EXPECT_EQ(changes(watch, 21'300, 21'600, true, 5, 20'900), 0);
  EXPECT_EQ(watch.look(21'600 * kSecond, true, 5, 20'900), Watch::Change::kOverdue);
  EXPECT_EQ(watch.look(21'601 * kSecond, false, 5, 20'900), Watch::Change::kNone) << "a loss confirms nothing";
  EXPECT_TRUE(watch.overdue());
}

TEST(Refusals, TellsEachChangeOfEachTopicOnce) {
  constexpr uint8_t kNotAuthorised = 0x87;
  constexpr uint8_t kQuota = 0x97;
  using enum Refusals::Change;
  Refusals refusals;
  EXPECT_EQ(refusals.answered("a", 0), kNone);
  EXPECT_EQ(refusals.answered("a", net::mqtt::kReasonNoSubscriber), kNone);
  EXPECT_EQ(refusals.answered("a", kNotAuthorised), kRefused);
  EXPECT_EQ(refusals.answered("b", kNotAuthorised), kRefused);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(refusals.answered("a", kNotAuthorised), kNone);
  EXPECT_EQ(refusals.answered("a", kQuota), kRefused);
  EXPECT_EQ(refusals.answered("a", 0), kAcceptedAgain);
  EXPECT_EQ(refusals.answered("a", 0), kNone);
  EXPECT_EQ(refusals.answered("b", kNotAuthorised), kNone);
  for (size_t i = 0; i < 2 * Refusals::kMaxTopics; ++i) (void)refusals.answered(std::to_string(i), kQuota);
  EXPECT_EQ(refusals.answered("one more", kQuota), kNone) << "bounded";
}

TEST(ConfirmationWatch, AlertsThatTheStoreGaveUpAreNotConfirmed) {
  Watch watch;
  EXPECT_EQ(changes(watch, 0, 302, true, 2, 7), 1);
  ASSERT_TRUE(watch.overdue());
  EXPECT_EQ(watch.look(400 * kSecond, true, 0, 7), Watch::Change::kNone);
  EXPECT_FALSE(watch.overdue());
}

TEST(Refusals, ReasonsAboutOneMessageAreTold) {
  for (const uint8_t reason : {0x80, 0x83, 0x90, 0x95, 0x99}) EXPECT_TRUE(is_about_the_message(reason));
  for (const uint8_t reason : {0x00, 0x10, 0x87, 0x97}) EXPECT_FALSE(is_about_the_message(reason));
}

// A store that was killed and has forgotten a minute, and one that is opened with what earlier starts have counted.
TEST(RisingTotal, CountsWhatCameSinceItLookedFirstAndNeverFalls) {
  RisingTotal total;
  EXPECT_EQ(total.look(1'000'000), 0U);
  EXPECT_EQ(total.look(1'000'005), 5U);
  EXPECT_EQ(total.look(999'990), 5U);
  EXPECT_EQ(total.look(999'993), 8U);
}

}  // namespace
}  // namespace millwright::edge
