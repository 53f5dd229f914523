// SPDX-License-Identifier: Apache-2.0
// A disk that cannot read some of what it holds, for a moment or for good.
#include <vector>

#include <gtest/gtest.h>

#include "edge/outbox/small_outbox_fixture.h"

namespace millwright::edge {
namespace {

using outbox::FakeDisk;

TEST(OutboxReading, PassesOverWhatTheDiskCannotReadAndGivesItWhenItCan) {
  constexpr size_t kPage = 4096;
  constexpr uint64_t kLast = 160;
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  for (uint64_t stroke = 1; stroke <= kLast; ++stroke) append(outbox, Stream::kAlerts, stroke);
  disk.unreadable = {outbox::kRingsAt + kPage, outbox::kRingsAt + kPage + 1};
  const auto readable = strokes(outbox, Stream::kAlerts);
  EXPECT_LT(readable.size(), kLast);
  EXPECT_GE(readable.size(), kLast / 4);
  ASSERT_FALSE(readable.empty());
  EXPECT_EQ(readable.front(), 1U);
  EXPECT_EQ(readable.back(), kLast);
  EXPECT_GT(outbox.figures().unreadable, 0U);
  EXPECT_EQ(outbox.figures().quarantined, 0U);
  disk.unreadable = {};
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).size(), kLast);
}

TEST(OutboxReading, OpensFromTheCheckpointThatCanBeRead) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    append(outbox, Stream::kAlerts, 1);
  }
  for (const size_t copy : {0, 1}) {
    disk.unreadable = {copy * outbox::kCheckpointBytes, copy * outbox::kCheckpointBytes + 1};
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    EXPECT_EQ(strokes(outbox, Stream::kAlerts), std::vector<uint64_t>{1});
  }
  disk.unreadable = {0, 2 * outbox::kCheckpointBytes};
  Outbox none(small(disk), clock);
  EXPECT_FALSE(none.open());
  EXPECT_EQ(disk.aside, 0U) << "what cannot be read now may be good";
}

TEST(OutboxReading, WhatCannotBeReadForAMomentIsNotTakenForDamage) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    for (uint64_t stroke = 1; stroke <= 20; ++stroke) append(outbox, Stream::kAlerts, stroke);
  }
  const size_t place = outbox::kRingsAt + 100;
  Outbox outbox(small(disk), clock);
  disk.unreadable = {place, place + 1};
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Status opened = outbox.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kIo);
  }
  disk.unreadable = {};
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(strokes(outbox, Stream::kAlerts).size(), 20U);
  EXPECT_EQ(outbox.figures().quarantined, 0U);
}

TEST(OutboxReading, WhatIsNeverReadAgainIsDamageAndTheRestGoesOn) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    for (uint64_t stroke = 1; stroke <= 150; ++stroke) append(outbox, Stream::kAlerts, stroke);
  }
  const size_t place = outbox::kRingsAt + 100;
  disk.unreadable = {place, place + 1};
  Outbox outbox(small(disk), clock);
  for (int attempt = 0; attempt < 3; ++attempt) ASSERT_FALSE(outbox.open());
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(outbox.figures().quarantined, 1U);
  disk.unreadable = {};
  const auto left = strokes(outbox, Stream::kAlerts);
  ASSERT_FALSE(left.empty());
  EXPECT_LT(left.size(), 150U);
  EXPECT_EQ(left.back(), 150U);
}

TEST(OutboxReading, SaysSoWhereTheDiskReadsNothing) {
  FakeDisk disk;
  FakeClock clock;
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_TRUE(outbox.read(Stream::kAlerts, 0, 100));
  append(outbox, Stream::kAlerts, 1);
  disk.unreadable = {0, disk.seen.size()};
  const auto none = outbox.read(Stream::kAlerts, 0, 100);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace millwright::edge
