// SPDX-License-Identifier: Apache-2.0
#include "edge/packet_arrival.h"

#include <gtest/gtest.h>

namespace millwright::edge {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kHour = 3'600'000 * kMs;
constexpr int64_t kWall = 1'700'000'000'000 * kMs;  // wall clock at the monotonic instant 0

class PacketArrivalTest : public testing::Test {
 protected:
  PacketArrival arrival_{1000 * kMs, kWall + 1000 * kMs};
};

TEST_F(PacketArrivalTest, APacketIsAsOldAsItsStamp) {
  EXPECT_EQ(arrival_.of_next(kWall + 1500 * kMs, 5000 * kMs, kWall + 5000 * kMs), 1500 * kMs);
  EXPECT_EQ(arrival_.of_next(kWall + 2500 * kMs, 5000 * kMs, kWall + 5000 * kMs), 2500 * kMs);
}

TEST_F(PacketArrivalTest, AClockSetBackMakesNoWaitingPacketFresh) {
  EXPECT_EQ(arrival_.of_next(kWall + 1500 * kMs, 5000 * kMs, kWall + 5000 * kMs - kHour), 1500 * kMs);
}

TEST_F(PacketArrivalTest, AClockSetForwardMakesNoPacketOlderThanTheEmptyBuffer) {
  EXPECT_EQ(arrival_.of_next(kWall + 1500 * kMs, 5000 * kMs, kWall + 5000 * kMs + kHour), 1000 * kMs);
  arrival_.drained(5001 * kMs, kWall + 5001 * kMs + kHour);
  EXPECT_EQ(arrival_.of_next(kWall + kHour + 6000 * kMs, 6010 * kMs, kWall + kHour + 6010 * kMs), 6000 * kMs);
}

TEST_F(PacketArrivalTest, AStampFromTheFutureOrNoneIsTheOldestThatCanBe) {
  EXPECT_EQ(arrival_.of_next(kWall + kHour, 5000 * kMs, kWall + 5000 * kMs), 1000 * kMs);
  EXPECT_EQ(arrival_.of_next(std::nullopt, 5000 * kMs, kWall + 5000 * kMs), 1000 * kMs);
}

TEST_F(PacketArrivalTest, NoPacketArrivesBeforeTheOneInFrontOrAfterNow) {
  EXPECT_EQ(arrival_.of_next(kWall + 3000 * kMs, 5000 * kMs, kWall + 5000 * kMs), 3000 * kMs);
  EXPECT_EQ(arrival_.of_next(kWall + 2000 * kMs, 5000 * kMs, kWall + 5000 * kMs), 3000 * kMs);
  EXPECT_EQ(arrival_.of_next(kWall + 5000 * kMs + 1000, 5000 * kMs, kWall + 5000 * kMs), 5000 * kMs);
}

}  // namespace
}  // namespace millwright::edge
