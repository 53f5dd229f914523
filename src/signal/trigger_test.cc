// SPDX-License-Identifier: Apache-2.0
#include "signal/trigger.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace millwright::signal {
namespace {

using ::testing::HasSubstr;

WindowCutter cutter(const TriggerSpec& spec, size_t channels, size_t length) {
  auto made = WindowCutter::create(spec, channels, length, 1000.0);
  if (!made) ADD_FAILURE() << made.error().message;
  return std::move(*made);
}

// Channel c of sample i holds i + 0.25 c, so that every value says where it came from.
std::vector<float> block(uint64_t begin, size_t frames, size_t channels) {
  std::vector<float> planar;
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < frames; ++i) planar.push_back(static_cast<float>(begin + i) + 0.25F * static_cast<float>(c));
  }
  return planar;
}

struct Found {
  uint64_t sample;
  bool torn;
  std::vector<float> samples;
};
void take_all(WindowCutter& from, std::vector<Found>& found) {
  while (const auto cut = from.next()) {
    found.push_back({cut->trigger.sample, cut->torn, {cut->window.samples.begin(), cut->window.samples.end()}});
  }
}

TEST(FixedTrigger, CutsEveryHopWhateverTheBlocks) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const size_t hop = 1 + random.below(150);
    WindowCutter made = cutter(FixedTrigger{.hop = hop}, 2, 100);
    std::vector<Found> found;
    uint64_t at = 0;
    while (at < 5000) {
      const size_t frames = random.below(700);
      made.push(block(at, frames, 2), frames);
      at += frames;
      take_all(made, found);
    }
    ASSERT_EQ(found.size(), (at - 100) / hop + 1);
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].sample, i * hop);
      ASSERT_FALSE(found[i].torn);
      ASSERT_EQ(found[i].samples, block(i * hop, 100, 2));
    }
  }
}

TEST(ExternalTrigger, EveryEventComesOutOnceWithItsSamplesAndCycle) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    WindowCutter made = cutter(ExternalTrigger{.pre_samples = 30}, 1, 100);
    std::vector<uint64_t> asked;
    std::vector<Found> found;
    for (uint64_t at = 0; at < 20'000; at += 500) {
      std::vector<TriggerEvent> events;
      for (int i = 0; i < 3 && at < 19'000; ++i) events.push_back({at + 40 + random.below(700), i});
      for (const auto& event : events) asked.push_back(event.sample);
      made.push(block(at, 500, 1), 500, events);
      take_all(made, found);
    }
    std::ranges::sort(asked);
    ASSERT_EQ(found.size(), asked.size());
    for (size_t i = 0; i < asked.size(); ++i) {
      ASSERT_EQ(found[i].sample, asked[i]);
      ASSERT_EQ(found[i].samples, block(asked[i] - 30, 100, 1));
    }
    EXPECT_EQ(made.late_events(), 0U);
  }
}

TEST(ExternalTrigger, CountsLateEventsAndThoseBeyondTheQueue) {
  WindowCutter made = cutter(ExternalTrigger{.pre_samples = 0}, 1, 100);
  made.push(block(0, 100, 1), 100);
  made.push(block(100, 10, 1), 10, std::vector<TriggerEvent>{{99, 7}, {100, 8}});
  EXPECT_EQ(made.late_events(), 1U);
  ASSERT_TRUE(made.pending());
  EXPECT_EQ(made.pending()->cycle, 8U);
  made.push(block(110, 10, 1), 10, std::vector<TriggerEvent>(kMaxPending, {115, 9}));
  EXPECT_EQ(made.late_events(), 2U);
}

TEST(ExternalTrigger, ADroppedTriggerNeverComesOut) {
  WindowCutter made = cutter(ExternalTrigger{.pre_samples = 10}, 1, 100);
  made.push(block(0, 120, 1), 120, std::vector<TriggerEvent>{{20, 1}, {60, 2}, {70, 3}});
  ASSERT_EQ(made.pending()->cycle, 2U);  // that of sample 20 is whole
  made.drop_pending();
  made.push(block(120, 100, 1), 100);
  std::vector<Found> found;
  take_all(made, found);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].sample, 20U);
  EXPECT_EQ(found[1].sample, 70U);
  EXPECT_FALSE(made.pending());
}

TEST(ExternalTrigger, WhatHasNotComeOutWaitsOldestFirst) {
  WindowCutter made = cutter(ExternalTrigger{.pre_samples = 0}, 1, 100);
  made.push(block(0, 120, 1), 120, std::vector<TriggerEvent>{{10, 1}, {60, 2}, {200, 3}});
  ASSERT_TRUE(made.waiting(2));
  EXPECT_EQ(made.waiting(0)->cycle, 1U);  // whole, and not taken yet
  EXPECT_EQ(made.waiting(1)->cycle, 2U);
  EXPECT_EQ(made.waiting(2)->cycle, 3U);
  EXPECT_FALSE(made.waiting(3));
  ASSERT_TRUE(made.next());
  EXPECT_EQ(made.waiting(0)->cycle, 2U);
}

TEST(FixedTrigger, WindowsThatHaveBegunWaitExceptInAHole) {
  WindowCutter made = cutter(FixedTrigger{.hop = 10}, 1, 20);
  made.push(block(0, 25, 1), 25);
  made.push_gap(40);
  made.push(block(65, 10, 1), 10);
  std::vector<uint64_t> waiting;
  for (size_t i = 0; const auto trigger = made.waiting(i); ++i) waiting.push_back(trigger->sample);
  EXPECT_EQ(waiting, (std::vector<uint64_t>{0, 10, 20, 50, 60, 70}));
  std::vector<Found> found;
  take_all(made, found);
  EXPECT_EQ(found.size(), 4U);
  EXPECT_EQ(made.waiting(0)->sample, 60U);
}

TEST(ExternalTrigger, BeforeTheStreamBeganSamplesAreMissing) {
  WindowCutter made = cutter(ExternalTrigger{.pre_samples = 4}, 1, 8);
  made.push(block(0, 20, 1), 20, std::vector<TriggerEvent>{{1, 1}});
  const auto cut = made.next();
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->torn);
  EXPECT_THAT(cut->window.samples, ::testing::ElementsAre(0, 0, 0, 0, 1, 2, 3, 4));
}

TEST(WindowCutter, WindowsOverAHoleAreTornAndKeepWhatCame) {
  WindowCutter made = cutter(FixedTrigger{.hop = 10}, 1, 10);
  made.push(block(0, 15, 1), 15);
  made.push_gap(3);
  made.push(block(18, 22, 1), 22);
  std::vector<Found> found;
  take_all(made, found);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_FALSE(found[0].torn);
  EXPECT_TRUE(found[1].torn);
  EXPECT_THAT(found[1].samples, ::testing::ElementsAre(10, 11, 12, 13, 14, 0, 0, 0, 18, 19));
  EXPECT_FALSE(found[2].torn);
  EXPECT_EQ(found[3].samples, block(30, 10, 1));
}

TEST(WindowCutter, AHoleOfDaysIsPassedAtOnce) {
  WindowCutter made = cutter(FixedTrigger{.hop = 1}, 1, 10);
  made.push(block(0, 15, 1), 15);
  made.push_gap(uint64_t{1} << 50);
  made.push(block(0, 20, 1), 20);
  std::vector<Found> found;
  take_all(made, found);
  EXPECT_EQ(found.size(), 6U + 9U + 9U + 11U);
  EXPECT_EQ(std::ranges::count_if(found, [](const Found& f) { return f.torn; }), 18);
  EXPECT_EQ(made.samples_seen(), (uint64_t{1} << 50) + 35);
}

TEST(WindowCutter, ManyHolesAreRememberedOrTornNeverWrong) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    WindowCutter made = cutter(FixedTrigger{.hop = 50}, 1, 400);
    std::vector<char> there;
    std::vector<Found> found;
    for (int i = 0; i < 300; ++i) {
      const size_t frames = random.below(40);
      made.push(block(there.size(), frames, 1), frames);
      there.insert(there.end(), frames, 1);
      const size_t gap = random.below(3) == 0 ? random.below(20) : 0;
      made.push_gap(gap);
      there.insert(there.end(), gap, 0);
      take_all(made, found);
    }
    for (const Found& window : found) {
      bool torn = false;
      for (size_t i = 0; i < 400; ++i) {
        const uint64_t at = window.sample + i;
        torn = torn || !there[at];
        ASSERT_EQ(window.samples[i], there[at] ? static_cast<float>(at) : 0.0F);
      }
      ASSERT_EQ(window.torn, torn);
    }
  }
}

// A burst every 1,000 samples, in the noise of a machine at rest.
std::vector<float> strokes(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(count * 1000);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto since = static_cast<double>((i + 1000 - 300) % 1000);
    const bool begun = i >= 300;
    x[i] = static_cast<float>(0.02 * random.normal() + (begun ? std::exp(-since / 60.0) * std::cos(0.2 * since) : 0.0));
  }
  return x;
}

TEST(LevelTrigger, FindsEachStrokeOnce) {
  for (size_t energy : {1U, 16U}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Random random(seed);
      WindowCutter made = cutter(
          LevelTrigger{.channel = 0, .level = 0.3, .energy_samples = energy, .pre_samples = 50, .dead_samples = 500}, 1,
          400);
      const auto x = strokes(50, seed);
      std::vector<Found> found;
      for (size_t at = 0; at < x.size();) {
        const size_t frames = std::min<size_t>(x.size() - at, 1 + random.below(900));
        made.push(std::span(x).subspan(at, frames), frames);
        at += frames;
        take_all(made, found);
      }
      ASSERT_EQ(found.size(), 50U);
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(found[i].sample), 300.0 + 1000.0 * static_cast<double>(i), 3.0);
        EXPECT_EQ(found[i].samples[50], x[found[i].sample]);
      }
    }
  }
}

TEST(LevelTrigger, DeadTimeRunsOnThroughAHole) {
  WindowCutter made = cutter(LevelTrigger{.level = 0.5, .dead_samples = 100}, 1, 10);
  std::vector<float> x(50, 0.0F);
  x[10] = 1.0F;
  made.push(x, 50);
  made.push_gap(20);
  made.push(x, 50);  // sample 80: still dead
  made.push(x, 50);  // sample 130: no more
  std::vector<Found> found;
  take_all(made, found);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].sample, 10U);
  EXPECT_EQ(found[1].sample, 130U);
}

TEST(LevelTrigger, SamplesThatAreNotFiniteDoNotBlindIt) {
  WindowCutter made = cutter(LevelTrigger{.level = 0.5, .energy_samples = 8}, 1, 10);
  std::vector<float> x(200, 0.0F);
  x[5] = std::numeric_limits<float>::quiet_NaN();
  x[6] = std::numeric_limits<float>::infinity();
  for (size_t i = 100; i < 110; ++i) x[i] = 1.0F;
  made.push(x, 200);
  const auto cut = made.next();
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->trigger.sample, 102U);  // three of eight samples at 1: RMS 0.61
}

TEST(WindowCutter, RefusesWhatDoesNotFit) {
  const auto message = [](const TriggerSpec& spec, size_t channels, size_t length) {
    const auto made = WindowCutter::create(spec, channels, length, 1.0);
    return made ? std::string("accepted") : made.error().message;
  };
  EXPECT_THAT(message(FixedTrigger{.hop = 0}, 1, 10), HasSubstr("hop"));
  EXPECT_THAT(message(ExternalTrigger{.pre_samples = 10}, 1, 10), HasSubstr("pre_samples 10"));
  EXPECT_THAT(message(LevelTrigger{.channel = 1, .level = 1.0}, 1, 10), HasSubstr("channel 1"));
  EXPECT_THAT(message(LevelTrigger{.level = 0.0}, 1, 10), HasSubstr("level"));
  EXPECT_THAT(message(LevelTrigger{.level = 1.0, .energy_samples = 0}, 1, 10), HasSubstr("energy_samples"));
  EXPECT_THAT(message(FixedTrigger{.hop = 1}, 0, 10), HasSubstr("channels"));
  EXPECT_THAT(message(FixedTrigger{.hop = 1}, 1, 0), HasSubstr("length"));
}

}  // namespace
}  // namespace millwright::signal
