// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace millwright::edge {
namespace {

constexpr size_t kLength = 64;

model::StrokeRecord record_of(uint64_t id) {
  model::StrokeRecord record;
  record.stroke_id = id;
  return record;
}

TEST(WindowRing, HandsOverWindowsInOrderAndCountsWhatFindsNoPlace) {
  WindowRing ring(1, kLength);
  for (uint64_t id = 1; id <= WindowRing::kSlots + 2; ++id) {
    const std::vector<float> samples(kLength, static_cast<float>(id));
    ring.decided(record_of(id), {.samples = samples, .channels = 1, .length = kLength});
  }
  EXPECT_EQ(ring.left_out(), 2U);
  std::vector<uint64_t> seen;
  ring.drain([&](const model::StrokeRecord& record, std::span<const float> samples) {
    seen.push_back(record.stroke_id);
    EXPECT_EQ(samples[kLength - 1], static_cast<float>(record.stroke_id));
  });
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 3, 4}));
}

TEST(WindowRing, RefusesAWindowOfAnotherShape) {
  WindowRing ring(2, kLength);
  const std::vector<float> samples(kLength);
  ring.decided(record_of(1), {.samples = samples, .channels = 1, .length = kLength});
  EXPECT_EQ(ring.left_out(), 1U);
}

TEST(WindowRing, NeverMixesWindowsWhileBothSidesRun) {
  constexpr uint64_t kStrokes = 20'000;
  WindowRing ring(1, kLength);
  std::atomic<bool> done{false};
  std::thread strokes([&] {
    std::vector<float> samples(kLength);
    for (uint64_t id = 1; id <= kStrokes; ++id) {
      std::ranges::fill(samples, static_cast<float>(id));
      ring.decided(record_of(id), {.samples = samples, .channels = 1, .length = kLength});
    }
    done = true;
  });
  uint64_t seen = 0;
  uint64_t last = 0;
  const auto look = [&](const model::StrokeRecord& record, std::span<const float> samples) {
    ++seen;
    EXPECT_GT(record.stroke_id, last);
    last = record.stroke_id;
    for (const float sample : samples) ASSERT_EQ(sample, static_cast<float>(record.stroke_id));
  };
  while (!done) ring.drain(look);
  strokes.join();
  ring.drain(look);
  EXPECT_EQ(seen + ring.left_out(), kStrokes);
}

}  // namespace
}  // namespace millwright::edge
