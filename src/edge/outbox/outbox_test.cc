// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/outbox.h"

#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"
#include "edge/outbox/small_outbox_fixture.h"

namespace millwright::edge {
namespace {

using outbox::FakeDisk;

constexpr int64_t kSecond = 1'000'000'000;

uint64_t drops(Outbox& outbox, Stream stream, DropReason reason) {
  return outbox.figures().streams[static_cast<size_t>(stream)].drops[static_cast<size_t>(reason)];
}

TEST(Outbox, GivesBackWhatItWasGivenAfterARestart) {
  FakeDisk disk;
  FakeClock clock;
  std::string first_boot;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    first_boot = outbox.boot_id();
    append(outbox, Stream::kAlerts, 7, "an alert");
    append(outbox, Stream::kScores, 8, "a score");
  }
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_NE(outbox.boot_id(), first_boot);
  const auto alerts = outbox.read(Stream::kAlerts, 0, 10);
  ASSERT_TRUE(alerts);
  ASSERT_EQ(alerts->size(), 1U);
  EXPECT_EQ(alerts->front().payload, "an alert");
  EXPECT_EQ(alerts->front().asset, "press-1");
  EXPECT_EQ(alerts->front().stroke_id, 7U);
  EXPECT_EQ(alerts->front().boot_id, first_boot);
  append(outbox, Stream::kAlerts, 9);
  const auto more = outbox.read(Stream::kAlerts, alerts->front().sequence, 10);
  ASSERT_EQ(more->size(), 1U);
  EXPECT_GT(more->front().sequence, alerts->front().sequence + 1);
  EXPECT_EQ(more->front().boot_id, outbox.boot_id());
}

TEST(Outbox, AnAcknowledgedMessageIsGoneAndAnotherBootsAcknowledgementIsNone) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  append(outbox, Stream::kAlerts, 1);
  append(outbox, Stream::kAlerts, 2);
  const auto alerts = outbox.read(Stream::kAlerts, 0, 10);
  EXPECT_EQ(outbox.acknowledge("another boot", std::span(&alerts->front().sequence, 1)), 0U);
  EXPECT_EQ(acknowledge(outbox, alerts->back()), 1U);
  EXPECT_EQ(acknowledge(outbox, alerts->back()), 0U);
  EXPECT_EQ(strokes(outbox, Stream::kAlerts), std::vector<uint64_t>{1});
}

TEST(Outbox, KnowsTheHighestStrokeEvenWhenAllWasDelivered) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    append(outbox, Stream::kScores, 41);
    append(outbox, Stream::kScores, 42);
    const auto scores = outbox.read(Stream::kScores, 0, 10);
    for (const auto& one : *scores) EXPECT_EQ(acknowledge(outbox, one), 1U);
  }
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(strokes(outbox, Stream::kScores), std::vector<uint64_t>{});
  EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kScores), 42U);
  EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kAlerts), 0U);
  EXPECT_EQ(outbox.highest_stroke("press-2", Stream::kScores), 0U);
}

TEST(Outbox, AFullRingOfScoresGivesUpTheOldestAndCountsThem) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  constexpr uint64_t kMany = 1000;
  for (uint64_t stroke = 1; stroke <= kMany; ++stroke) append(outbox, Stream::kScores, stroke);
  const auto left = strokes(outbox, Stream::kScores);
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.back(), kMany);
  EXPECT_EQ(left.front(), kMany - left.size() + 1);
  EXPECT_GE(left.size(), 100U);
  EXPECT_EQ(drops(outbox, Stream::kScores, DropReason::kFull), kMany - left.size());
}

TEST(Outbox, AFullRingOfAlertsRefusesTheNewestAndScoresGoOn) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  constexpr uint64_t kMany = 1000;
  uint64_t refused = 0;
  for (uint64_t stroke = 1; stroke <= kMany; ++stroke) {
    const std::array<Message, 2> batch = {message(Stream::kAlerts, stroke, "alert"),
                                          message(Stream::kScores, stroke, "score")};
    const auto report = outbox.append(batch);
    ASSERT_TRUE(report) << report.error().message;
    refused += report->refused;
  }
  const auto left = strokes(outbox, Stream::kAlerts);
  EXPECT_EQ(left.front(), 1U);
  EXPECT_EQ(left.size() + refused, kMany);
  EXPECT_EQ(drops(outbox, Stream::kAlerts, DropReason::kFull), refused);
  EXPECT_EQ(strokes(outbox, Stream::kScores).back(), kMany);
}

TEST(Outbox, OneAlertThatNobodyTakesDoesNotBlockItsRing) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    append(outbox, Stream::kAlerts, 1, "nobody wants me");
    for (uint64_t stroke = 2; stroke <= 5000; ++stroke) {
      append(outbox, Stream::kAlerts, stroke);
      const auto last = outbox.read(Stream::kAlerts, 0, 2);
      ASSERT_EQ(last->size(), 2U) << stroke;
      EXPECT_EQ(last->front().payload, "nobody wants me");
      EXPECT_EQ(acknowledge(outbox, last->back()), 1U);
    }
    EXPECT_EQ(drops(outbox, Stream::kAlerts, DropReason::kFull), 0U);
  }
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  // Some behind it may come again: only the tail is remembered.
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).front(), 1U);
}

TEST(Outbox, MessagesExpireByTimeThatWasSeenToPass) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  append(outbox, Stream::kScores, 1);
  clock.advance_ns(71 * 3600 * kSecond);
  append(outbox, Stream::kScores, 2);
  EXPECT_EQ(strokes(outbox, Stream::kScores).size(), 2U);
  clock.advance_ns(2 * 3600 * kSecond);
  EXPECT_EQ(strokes(outbox, Stream::kScores), std::vector<uint64_t>{2});
  EXPECT_EQ(drops(outbox, Stream::kScores, DropReason::kExpired), 1U);
}

TEST(Outbox, AWallClockThatJumpsExpiresNothing) {
  FakeDisk disk;
  constexpr int64_t kTenYears = 10LL * 365 * 86'400 * kSecond;
  for (const int64_t wall : {int64_t{0}, int64_t{1'700'000'000} * kSecond, kTenYears}) {
    FakeClock clock(5, wall);
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    append(outbox, Stream::kAlerts, 1);
    clock.jump_wall_ns(kTenYears);
    append(outbox, Stream::kAlerts, 2);
    clock.jump_wall_ns(-2 * kTenYears);
    clock.advance_ns(3600 * kSecond);
    ASSERT_TRUE(outbox.tick());
  }
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).size(), 6U);
  // Three hours were seen; the rest of their time to live comes in this boot.
  const int64_t hours = OutboxOptions().streams[static_cast<size_t>(Stream::kAlerts)].ttl_s / 3600;
  clock.advance_ns((hours - 4) * 3600 * kSecond);
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).size(), 6U);
  clock.advance_ns(2 * 3600 * kSecond);
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).size(), 4U);
}

TEST(Outbox, AfterAFailedSyncItIsClosedUntilItWasReadBack) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  append(outbox, Stream::kAlerts, 1);
  disk.fail_at = disk.operations + 1;  // the write, then the sync
  const Message two = message(Stream::kAlerts, 2, "lost");
  ASSERT_FALSE(outbox.append(std::span(&two, 1)));
  const auto closed = outbox.append(std::span(&two, 1));
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(outbox.figures().open);
  const std::string boot = outbox.boot_id();
  ASSERT_TRUE(outbox.open());
  EXPECT_NE(outbox.boot_id(), boot);
  EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kAlerts), 1U);
  append(outbox, Stream::kAlerts, 2);
  EXPECT_EQ(strokes(outbox, Stream::kAlerts), (std::vector<uint64_t>{1, 2}));
}

TEST(Outbox, ADamagedRecordIsPassedOverAndCountedOnce) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    for (uint64_t stroke = 1; stroke <= 5; ++stroke) append(outbox, Stream::kAlerts, stroke, "damage me");
  }
  // The third record of the first ring: each has 56 bytes and the payload, rounded to 8.
  const size_t third = outbox::kRingsAt + 2 * 72 + 60;
  disk.durable[third] ^= std::byte{4};
  disk.seen = disk.durable;
  for (int start = 0; start < 2; ++start) {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    EXPECT_EQ(strokes(outbox, Stream::kAlerts), (std::vector<uint64_t>{1, 2, 4, 5}));
    EXPECT_EQ(drops(outbox, Stream::kAlerts, DropReason::kCorrupt), 1U);
  }
}

TEST(Outbox, ADamagedCheckpointLeavesTheOther) {
  for (size_t copy = 0; copy < 2; ++copy) {
    FakeDisk disk;
    FakeClock clock;
    {
      Outbox outbox(small(disk), clock);
      ASSERT_TRUE(outbox.open());
      for (uint64_t stroke = 1; stroke <= 300; ++stroke) append(outbox, Stream::kScores, stroke);
      append(outbox, Stream::kAlerts, 301);
    }
    disk.seen[copy * outbox::kCheckpointBytes + 40] ^= std::byte{1};
    disk.durable = disk.seen;
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    EXPECT_EQ(disk.aside, 0U);
    EXPECT_EQ(strokes(outbox, Stream::kAlerts), std::vector<uint64_t>{301});
    EXPECT_EQ(strokes(outbox, Stream::kScores).back(), 300U);
    EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kScores), 300U);
  }
}

TEST(Outbox, AFileThatIsNoOutboxIsSetAside) {
  FakeDisk disk;
  FakeClock clock;
  disk.seen.assign(100'000, std::byte{'x'});
  disk.durable = disk.seen;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(disk.aside, 1U);
  append(outbox, Stream::kAlerts, 1);
}

TEST(Outbox, OpensWhenTheDiskHasRoomAgain) {
  FakeDisk disk;
  FakeClock clock;
  disk.full = true;
  Outbox outbox(small(disk), clock);
  EXPECT_FALSE(outbox.open());
  const Message one = message(Stream::kAlerts, 1, "x");
  EXPECT_FALSE(outbox.append(std::span(&one, 1)));
  disk.full = false;
  EXPECT_TRUE(outbox.open());
  EXPECT_TRUE(outbox.append(std::span(&one, 1)));
}

TEST(Outbox, WhatIsRefusedOftenEnoughIsADeadLetter) {
  FakeDisk disk;
  FakeClock clock;
  OutboxOptions options = small(disk);
  options.max_refusals = 3;
  Outbox outbox(options, clock);
  ASSERT_TRUE(outbox.open());
  append(outbox, Stream::kScores, 1);
  append(outbox, Stream::kScores, 2);
  const auto scores = outbox.read(Stream::kScores, 0, 10);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(strokes(outbox, Stream::kScores).size(), 2U);
    outbox.refuse(scores->front().boot_id, scores->front().sequence);
  }
  EXPECT_EQ(strokes(outbox, Stream::kScores), std::vector<uint64_t>{2});
  EXPECT_EQ(drops(outbox, Stream::kScores, DropReason::kRefused), 1U);
}

TEST(Outbox, ABatchThatIsTooLargeIsRefusedWhole) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  const std::string large(3000, 'x');
  const Message one = message(Stream::kScores, 1, large);
  const auto report = outbox.append(std::span(&one, 1));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(outbox.is_open());
}

TEST(Outbox, HeadroomFollowsTheRateOfScores) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  for (uint64_t stroke = 1; stroke <= 30; ++stroke) {
    append(outbox, Stream::kScores, stroke);
    clock.advance_ns(kSecond);
  }
  const OutboxFigures figures = outbox.figures();
  EXPECT_EQ(figures.headroom_bytes, 8192U - 30 * 64);
  EXPECT_NEAR(figures.headroom_s, static_cast<double>(figures.headroom_bytes) / 64.0, 12.0);
}

}  // namespace
}  // namespace millwright::edge
