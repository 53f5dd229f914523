// SPDX-License-Identifier: Apache-2.0
#include "edge/simulated_press.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

namespace millwright::edge {
namespace {

double rms(std::span<const float> samples) {
  const double sum = std::inner_product(samples.begin(), samples.end(), samples.begin(), 0.0);
  return std::sqrt(sum / static_cast<double>(samples.size()));
}

// The power of one frequency, by its Fourier sum.
double power_at(std::span<const float> samples, double hz, double rate_hz) {
  double re = 0.0;
  double im = 0.0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2.0 * M_PI * hz * static_cast<double>(i) / rate_hz;
    re += samples[i] * std::cos(angle);
    im += samples[i] * std::sin(angle);
  }
  return re * re + im * im;
}

std::vector<float> stroke(const PressOptions& options, uint64_t number) {
  std::vector<float> samples(options.channels * options.length);
  PressSignal(options).stroke(number, 0, samples);
  return samples;
}

TEST(PressSignal, TheSameStrokeIsTheSameSamples) {
  const PressOptions options{.channels = 2, .failure_stroke = 100, .seed = 5};
  EXPECT_EQ(stroke(options, 17), stroke(options, 17));
  EXPECT_NE(stroke(options, 17), stroke(options, 18));
}

TEST(PressSignal, ItsModesLieBetween200And400Hz) {
  const auto samples = stroke({}, 3);
  double inside = 0.0;
  double outside = 0.0;
  for (double hz = 5.0; hz < 5000.0; hz += 5.0) {
    (hz >= 200.0 && hz <= 400.0 ? inside : outside) += power_at(samples, hz, 10'000.0);
  }
  EXPECT_GT(inside, 3.0 * outside);
}

TEST(PressSignal, WearGrowsUntilTheDieBreaks) {
  const PressOptions options{.wear_from_stroke = 100, .failure_stroke = 500};
  const PressSignal signal(options);
  EXPECT_EQ(signal.wear(100), 0.0);
  for (uint64_t n = 101; n <= 500; ++n) EXPECT_GT(signal.wear(n), signal.wear(n - 1));
  EXPECT_GT(rms(stroke(options, 499)), 1.5 * rms(stroke(options, 50)));
}

TEST(PressSignal, ALooseSensorLosesItsHighFrequencies) {
  const PressOptions options{.channels = 2, .loose_from_stroke = 50, .loose_channel = 1};
  const auto fast_share = [&](uint64_t number, size_t channel) {
    const auto samples = stroke(options, number);
    const auto one = std::span<const float>(samples).subspan(channel * options.length, options.length);
    std::vector<float> differences(one.size());
    std::adjacent_difference(one.begin(), one.end(), differences.begin());
    return rms(differences) / rms(one);
  };
  EXPECT_LT(fast_share(50, 1), 0.6 * fast_share(49, 1));
  EXPECT_GT(fast_share(50, 0), 0.8 * fast_share(49, 0));
}

TEST(SimulatedPress, CountsItsCyclesAndEnds) {
  const SystemClock clock;
  auto press = SimulatedPress::create({.first_stroke = 7, .strokes = 5, .fast = true}, clock);
  ASSERT_TRUE(press);
  std::vector<uint64_t> cycles;
  while (true) {
    const Block block = (*press)->next(1 << 16, 0);
    if (block.kind == Block::Kind::kEnd) break;
    ASSERT_EQ(block.kind, Block::Kind::kSamples);
    for (const auto& event : block.events) cycles.push_back(*event.cycle);
  }
  EXPECT_EQ(cycles, (std::vector<uint64_t>{7, 8, 9, 10, 11}));
}

TEST(SimulatedPress, PlayedFastKeepsThePaceItWasGiven) {
  const SystemClock clock;
  auto press = SimulatedPress::create({.fast_strokes_per_minute = 60.0 * 50, .strokes = 6, .fast = true}, clock);
  ASSERT_TRUE(press);
  const int64_t begin = clock.monotonic_ns();
  while ((*press)->next(1 << 16, begin + 60'000'000'000).kind != Block::Kind::kEnd) {
  }
  EXPECT_GE(clock.monotonic_ns() - begin, 100'000'000) << "five times 20 ms lie between six strokes";
}

TEST(SimulatedPress, RefusesAPaceThatItsStrokesDoNotFitInto) {
  const SystemClock clock;
  const auto press = SimulatedPress::create({.strokes_per_minute = 1000.0}, clock);
  ASSERT_FALSE(press);
  EXPECT_NE(press.error().message.find("at most 200"), std::string::npos) << press.error().message;
}

}  // namespace
}  // namespace millwright::edge
