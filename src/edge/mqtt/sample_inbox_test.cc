// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/sample_inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "signal/trigger.h"

namespace millwright::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kLength = 8;
constexpr size_t kMaxFrames = 4096;

template <typename Sample>
std::string bytes_of(const std::vector<Sample>& samples) {
  return {reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(Sample)};
}
std::string window_of(float value) { return bytes_of(std::vector<float>(kLength, value)); }

InboxOptions windows(size_t slots = 4) { return {.payload = {.length = kLength}, .slots = slots}; }

// Blocks through a cutter, as the stroke thread takes them: the first sample of each window, NaN where it is torn.
std::vector<float> strokes(SampleInbox& inbox, const signal::TriggerSpec& trigger, size_t channels = 1) {
  auto cutter = signal::WindowCutter::create(trigger, channels, kLength, 0.0);
  EXPECT_TRUE(cutter);
  std::vector<float> firsts;
  uint64_t frames = 0;
  while (const auto block = inbox.take(kMaxFrames)) {
    if (block->gap_frames > 0) cutter->push_gap(block->gap_frames);
    frames += block->gap_frames;
    std::vector<signal::TriggerEvent> events;
    for (const auto& event : block->events) events.push_back({.sample = frames + event.sample, .cycle = event.cycle});
    cutter->push(block->planar, block->frames, events);
    frames += block->frames;
    while (const auto cut = cutter->next()) {
      firsts.push_back(cut->torn ? std::numeric_limits<float>::quiet_NaN() : cut->window.samples[0]);
    }
  }
  return firsts;
}

TEST(SampleInbox, EachMessageIsOneWindowUnderBothTriggers) {
  for (const signal::TriggerSpec& trigger :
       {signal::TriggerSpec(signal::ExternalTrigger{}), signal::TriggerSpec(signal::FixedTrigger{.hop = kLength})}) {
    SampleInbox inbox(windows());
    for (const float value : {1.0F, 2.0F, 3.0F}) inbox.put(window_of(value), 5);
    EXPECT_THAT(strokes(inbox, trigger), ElementsAre(1.0F, 2.0F, 3.0F));
    EXPECT_EQ(inbox.counters().frames, 3 * kLength);
  }
}

TEST(SampleInbox, WindowsThatFindNoRoomAreStrokesWithoutSamples) {
  for (const signal::TriggerSpec& trigger :
       {signal::TriggerSpec(signal::ExternalTrigger{}), signal::TriggerSpec(signal::FixedTrigger{.hop = kLength})}) {
    SampleInbox inbox(windows(2));
    for (const float value : {1.0F, 2.0F, 3.0F, 4.0F}) inbox.put(window_of(value), 5);
    EXPECT_EQ(inbox.counters().left_out, 2U);
    EXPECT_THAT(strokes(inbox, trigger),
                ElementsAre(1.0F, 2.0F, testing::NanSensitiveFloatEq(NAN), testing::NanSensitiveFloatEq(NAN)));
    EXPECT_EQ(inbox.counters().frames_lost, 2 * kLength);
    inbox.put(window_of(5.0F), 6);
    EXPECT_THAT(strokes(inbox, trigger), testing::SizeIs(1));
  }
}

TEST(SampleInbox, WhatIsNoWindowIsCountedAndNamed) {
  SampleInbox inbox(windows());
  EXPECT_EQ(inbox.refusal(), std::nullopt);
  inbox.put("", 1);
  inbox.put(window_of(1.0F) + "x", 1);
  inbox.put(window_of(1.0F).substr(1), 1);
  EXPECT_EQ(inbox.counters().refused, 3U);
  EXPECT_THAT(inbox.refusal().value_or(""), HasSubstr("a payload of 0 bytes; a window of 1 x 8 float32 has 32"));
  EXPECT_FALSE(inbox.take(kMaxFrames));
}

TEST(SampleInbox, AFullInboxStillRefusesWhatIsNoWindow) {
  SampleInbox inbox(windows(1));
  inbox.put(window_of(1.0F), 1);
  inbox.put("short", 1);
  EXPECT_EQ(inbox.counters().left_out, 0U);
  EXPECT_EQ(inbox.counters().refused, 1U);
}

TEST(SampleInbox, CountsAreScaledAndInterleavedChannelsComeApart) {
  InboxOptions options;
  options.payload = {.kind = PayloadKind::kInt16, .interleaved = true, .scale = 0.5F, .channels = 2, .length = kLength};
  SampleInbox inbox(options);
  std::vector<int16_t> counts;
  for (int16_t i = 0; i < int16_t{kLength}; ++i) {
    counts.push_back(i);
    counts.push_back(static_cast<int16_t>(-i));
  }
  inbox.put(bytes_of(counts), 1);
  const auto block = inbox.take(kMaxFrames);
  ASSERT_TRUE(block);
  ASSERT_EQ(block->planar.size(), 2 * kLength);
  for (size_t i = 0; i < kLength; ++i) {
    EXPECT_EQ(block->planar[i], 0.5F * static_cast<float>(i));
    EXPECT_EQ(block->planar[kLength + i], -0.5F * static_cast<float>(i));
  }
}

TEST(SampleInbox, AMessageLongerThanABlockComesInPiecesThatHappenedOneAfterTheOther) {
  InboxOptions options = windows();
  options.payload.channels = 2;
  options.rate_hz = 1000.0;
  SampleInbox inbox(options);
  std::vector<float> samples(2 * kLength);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i);
  inbox.put(bytes_of(samples), 100'000'000);
  const auto first = inbox.take(5);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->planar, ElementsAre(0, 1, 2, 3, 4, 8, 9, 10, 11, 12));
  EXPECT_EQ(first->events.size(), 1U);
  EXPECT_EQ(first->arrival_ns, 97'000'000);
  const auto second = inbox.take(5);
  ASSERT_TRUE(second);
  EXPECT_THAT(second->planar, ElementsAre(5, 6, 7, 13, 14, 15));
  EXPECT_TRUE(second->events.empty());
  EXPECT_EQ(second->arrival_ns, 100'000'000);
  EXPECT_FALSE(inbox.take(5));
}

TEST(SampleInbox, PacketsKeepTheirPlaceInTheStream) {
  InboxOptions options;
  options.payload = {.kind = PayloadKind::kPacket};
  options.rate_hz = 1000.0;
  SampleInbox inbox(options);
  const auto packet = [](uint64_t sequence) {
    const std::vector<float> samples(3, static_cast<float>(sequence));
    std::string bytes(kPacketHeaderBytes + 3 * sizeof(float), '\0');
    const PacketHeader header{
        .frames = 3, .cycle_frame = 1, .sequence = sequence, .first_frame = 3 * sequence, .cycle = sequence + 1};
    EXPECT_EQ(encode_packet(header, samples, std::as_writable_bytes(std::span(bytes))), bytes.size());
    return bytes;
  };
  for (const uint64_t sequence : {0U, 1U, 1U, 4U}) inbox.put(packet(sequence), 1);
  inbox.put(packet(5).substr(1), 1);
  std::vector<uint64_t> cycles, gaps;
  while (const auto block = inbox.take(kMaxFrames)) {
    cycles.push_back(*block->events[0].cycle);
    gaps.push_back(block->gap_frames);
  }
  EXPECT_THAT(cycles, ElementsAre(1, 2, 5));
  EXPECT_THAT(gaps, ElementsAre(0, 0, 6));
  EXPECT_EQ(inbox.counters().refused, 2U);
  EXPECT_EQ(inbox.counters().frames_lost, 6U);
}

TEST(SampleInbox, NoWindowIsForgottenWhileBothSidesRun) {
  constexpr int kMessages = 20'000;
  SampleInbox inbox(windows(4));
  std::atomic<bool> done{false};
  std::thread hears([&] {
    for (int i = 0; i < kMessages; ++i) inbox.put(window_of(static_cast<float>(i)), 1);
    done = true;
  });
  uint64_t events = 0;
  const auto drain = [&] {
    while (const auto block = inbox.take(kMaxFrames)) events += block->events.size();
  };
  while (!done) drain();
  hears.join();
  drain();
  EXPECT_EQ(events, uint64_t{kMessages});
}

}  // namespace
}  // namespace millwright::edge
