// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "base/random.h"
#include "edge/udp_source.h"

namespace millwright::edge {
namespace {

class UdpTest : public testing::Test {
 protected:
  void SetUp() override {
    auto source = UdpSource::create({.channels = 2, .rate_hz = 1000.0}, clock_);
    ASSERT_TRUE(source) << source.error().message;
    source_ = std::move(*source);
    sender_ = Descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }

  void send(std::span<const std::byte> bytes) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(source_->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(sender_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)),
              static_cast<ssize_t>(bytes.size()));
  }

  std::vector<std::byte> packet(uint64_t sequence, uint64_t first_frame, SampleFormat format = SampleFormat::kFloat32) {
    PacketHeader header{.format = format,
                        .channels = 2,
                        .frames = 3,
                        .cycle_frame = 1,
                        .sequence = sequence,
                        .first_frame = first_frame,
                        .cycle = sequence + 1,
                        .scale = 0.5F};
    std::vector<std::byte> bytes(kMaxPacketBytes);
    bytes.resize(encode_packet(header, samples_, bytes));
    return bytes;
  }

  Block next() { return source_->next(1 << 16, clock_.monotonic_ns() + 2'000'000'000); }
  Block next_at_once() { return source_->next(1 << 16, clock_.monotonic_ns()); }

  SystemClock clock_;
  std::unique_ptr<UdpSource> source_;
  Descriptor sender_;
  std::vector<float> samples_ = {1.0F, 2.0F, 3.0F, -1.0F, -2.0F, -3.0F};
};

TEST_F(UdpTest, SamplesCyclesAndShapeArrive) {
  for (const SampleFormat format : {SampleFormat::kFloat32, SampleFormat::kInt16}) {
    const bool first = format == SampleFormat::kFloat32;
    send(packet(first ? 0 : 1, first ? 0 : 3, format));
    const Block block = next();
    ASSERT_EQ(block.kind, Block::Kind::kSamples);
    EXPECT_EQ(block.frames, 3U);
    EXPECT_EQ(std::vector<float>(block.planar.begin(), block.planar.end()), samples_);
    EXPECT_EQ(block.gap_frames, 0U);
    ASSERT_EQ(block.events.size(), 1U);
    EXPECT_EQ(block.events[0].sample, 1U);
  }
}

TEST_F(UdpTest, LostPacketsAreAGapAndRepeatedOnesAreRefused) {
  send(packet(0, 0));
  send(packet(2, 6));
  send(packet(1, 3));
  EXPECT_EQ(next().gap_frames, 0U);
  EXPECT_EQ(next().gap_frames, 3U);
  EXPECT_EQ(next_at_once().kind, Block::Kind::kIdle);
  EXPECT_EQ(source_->counters().refused, 1U);
  EXPECT_EQ(source_->counters().frames_lost, 3U);
}

TEST_F(UdpTest, AFirstPacketThatComesTwiceIsOneStroke) {
  send(packet(0, 0));
  send(packet(0, 0));
  send(packet(1, 3));
  send(packet(0, 0));
  send(packet(1, 3));
  send(packet(2, 6));
  for (int i = 0; i < 3; ++i) {
    const Block block = next_at_once();
    ASSERT_EQ(block.kind, Block::Kind::kSamples);
    EXPECT_EQ(block.gap_frames, 0U);
    EXPECT_EQ(block.events[0].cycle, i + 1);
  }
  EXPECT_EQ(next_at_once().kind, Block::Kind::kIdle);
  EXPECT_EQ(source_->counters().refused, 3U);
}

TEST_F(UdpTest, ASenderWhoseNextStreamBeginsAtZeroIsFollowedAtOnce) {
  send(packet(0, 0));
  auto again = packet(0, 0);
  again[32] = std::byte{9};  // the cycle went on
  send(again);
  EXPECT_EQ(next_at_once().gap_frames, 0U);
  const Block block = next_at_once();
  EXPECT_EQ(block.gap_frames, 1U);
  EXPECT_EQ(block.events[0].cycle, 9U);
}

TEST_F(UdpTest, AFloodOfWhatIsRefusedHoldsNobodyPastHisTime) {
  constexpr uint64_t kFlood = 200;
  for (uint64_t i = 0; i < kFlood; ++i) send(std::vector<std::byte>{std::byte{1}});
  EXPECT_EQ(next_at_once().kind, Block::Kind::kIdle);
  EXPECT_GT(source_->counters().refused, 0U);
  EXPECT_LT(source_->counters().refused, kFlood);
}

TEST_F(UdpTest, ASenderThatStartsAgainIsFollowed) {
  send(packet(1000, 3000));
  EXPECT_EQ(next().kind, Block::Kind::kSamples);
  for (uint64_t i = 5; i < 25; ++i) send(packet(i, 3 * i));
  EXPECT_EQ(next().kind, Block::Kind::kSamples);
  EXPECT_LT(source_->counters().refused, 20U);
}

TEST_F(UdpTest, WhatIsNotAPacketOfOursIsCountedAndDropped) {
  const std::vector<std::byte> good = packet(0, 0);
  ASSERT_GT(good.size(), kPacketHeaderBytes + 4);
  auto magic = good;
  magic[0] = std::byte{'X'};
  auto version = good;
  version[4] = std::byte{9};
  auto format = good;
  format[5] = std::byte{7};
  auto channels = good;
  channels[6] = std::byte{0};
  auto frames = good;
  frames[8] = std::byte{200};
  auto cycle = good;
  cycle[12] = std::byte{3};
  const std::vector<std::byte> shorter(good.data(), good.data() + kPacketHeaderBytes + 4);
  auto longer = good;
  longer.push_back(std::byte{0});
  const std::vector<std::vector<std::byte>> all = {magic, version, format, channels,      frames,
                                                   cycle, shorter, longer, {std::byte{1}}};
  for (const auto& bad : all) {
    EXPECT_FALSE(decode_packet(bad));
    send(bad);
  }
  EXPECT_EQ(next_at_once().kind, Block::Kind::kIdle);
  EXPECT_EQ(source_->counters().refused, all.size());
  send(good);
  EXPECT_EQ(next().kind, Block::Kind::kSamples);
}

TEST_F(UdpTest, APacketThatWaitedIsAsOldAsItIs) {
  constexpr int64_t kSlackNs = 5'000'000;
  constexpr int64_t kWaitNs = 50'000'000;
  // The kernel begins to stamp a moment after the first socket asked for it.
  for (uint64_t i = 0; i < 20; ++i) {
    const int64_t sent = clock_.monotonic_ns();
    send(packet(i, 3 * i));
    EXPECT_EQ(Waiter().wait_until(clock_, sent + kWaitNs), Waiter::Woken::kTime);
    if (next().arrival_ns < sent + kWaitNs / 2) break;
  }
  const int64_t before = clock_.monotonic_ns();
  send(packet(20, 60));
  const int64_t after = clock_.monotonic_ns();
  // The kernel's stamps follow real time, so real time has to pass; nobody reads meanwhile.
  EXPECT_EQ(Waiter().wait_until(clock_, after + kWaitNs), Waiter::Woken::kTime);
  const Block block = next();
  ASSERT_EQ(block.kind, Block::Kind::kSamples);
  EXPECT_GE(block.arrival_ns, before - kSlackNs);
  EXPECT_LE(block.arrival_ns, after + kSlackNs);
}

TEST_F(UdpTest, AStreamFasterThanDeclaredIsAWrongRate) {
  auto source = UdpSource::create({.channels = 2, .rate_hz = 1000.0, .rate_span_ns = 1'000'000}, clock_);
  ASSERT_TRUE(source);
  source_ = std::move(*source);
  constexpr uint64_t kPackets = 5'000;  // of 3 ms each, as fast as they go
  auto fault = signal::SensorFault::kNone;
  for (uint64_t i = 0; i < kPackets && fault == signal::SensorFault::kNone; ++i) {
    send(packet(i, 3 * i));
    fault = next().fault;
  }
  EXPECT_EQ(fault, signal::SensorFault::kWrongRate);
}

TEST_F(UdpTest, APortInUseIsSaid) {
  const auto second = UdpSource::create({.port = source_->port(), .channels = 1, .rate_hz = 1.0}, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(second.error().message.find(std::to_string(source_->port())), std::string::npos);
}

TEST_F(UdpTest, StopEndsTheWait) {
  source_->stop();
  EXPECT_EQ(next().kind, Block::Kind::kStopped);
}

}  // namespace
}  // namespace millwright::edge
