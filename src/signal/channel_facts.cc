// SPDX-License-Identifier: Apache-2.0
#include "signal/channel_facts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace millwright::signal {
namespace {

constexpr size_t kParts = 16;
constexpr size_t kMinPart = 8;  // samples; a short window has fewer parts
constexpr size_t kMinZeroRun = 4;
constexpr int kHalfTaps = 9;

// A half-band high-pass: a windowed sinc, every second tap of which is zero.
std::array<double, kHalfTaps + 1> half_band_taps() {
  std::array<double, kHalfTaps + 1> taps{0.5};
  for (int k = 1; k <= kHalfTaps; k += 2) {
    const double x = std::numbers::pi * k;
    const double blackman = 0.42 + 0.5 * std::cos(x / (kHalfTaps + 1)) + 0.08 * std::cos(2 * x / (kHalfTaps + 1));
    taps[static_cast<size_t>(k)] = -std::sin(x / 2) / x * blackman;
  }
  return taps;
}

double rms_of_part(std::span<const float> x) {
  double sum = 0.0;
  double squares = 0.0;
  const double shift = x[0];
  for (float value : x) {
    const double d = value - shift;
    sum += d;
    squares += d * d;
  }
  const auto n = static_cast<double>(x.size());
  return std::sqrt(std::max(0.0, squares / n - (sum / n) * (sum / n)));
}

}  // namespace

bool all_finite(std::span<const float> x) {
  // x - x is 0 for every finite number and NaN for the others.
  float sum = 0.0F;
  for (float value : x) sum += value - value;
  return sum == 0.0F;
}

ChannelFacts channel_facts(std::span<const float> x) {
  ChannelFacts facts{.min = x[0], .max = x[0], .quantum = std::numeric_limits<float>::max()};
  for (size_t i = 1; i < x.size(); ++i) {
    const float step = std::fabs(x[i] - x[i - 1]);
    facts.min = std::min(facts.min, x[i]);
    facts.max = std::max(facts.max, x[i]);
    facts.equal_pairs += step == 0.0F ? 1 : 0;
    facts.quantum = std::min(facts.quantum, step == 0.0F ? facts.quantum : step);
  }
  facts.rms = rms_of_part(x);
  return facts;
}

ExtremeCounts count_extremes(std::span<const float> x, const ChannelFacts& facts) {
  constexpr float kBeside = 0.02F;
  constexpr float kMinQuanta = 200.0F;
  const float range = facts.max - facts.min;
  ExtremeCounts counts{.fine_grained = range >= kMinQuanta * facts.quantum};
  const float high = facts.max - kBeside * range;
  const float low = facts.min + kBeside * range;
  for (float value : x) {
    counts.at_max += value == facts.max ? 1 : 0;
    counts.at_min += value == facts.min ? 1 : 0;
    counts.below_max += value >= high ? 1 : 0;
    counts.above_min += value <= low ? 1 : 0;
  }
  counts.below_max -= counts.at_max;
  counts.above_min -= counts.at_min;
  return counts;
}

size_t count_beyond(std::span<const float> x, float magnitude) {
  return static_cast<size_t>(std::ranges::count_if(x, [&](float value) { return std::fabs(value) >= magnitude; }));
}

RunFacts run_facts(std::span<const float> x) {
  RunFacts facts;
  for (size_t begin = 0; begin < x.size();) {
    size_t end = begin + 1;
    while (end < x.size() && x[end] == x[begin]) ++end;
    const size_t run = end - begin;
    if (x[begin] != 0.0F) {
      facts.longest = std::max(facts.longest, run);
    } else {
      facts.longest_zero = std::max(facts.longest_zero, run);
      facts.zeros_in_runs += run >= kMinZeroRun ? run : 0;
    }
    begin = end;
  }
  return facts;
}

NoiseFacts noise_facts(std::span<const float> x) {
  const size_t parts = std::clamp<size_t>(x.size() / kMinPart, 1, kParts);
  const size_t size = x.size() / parts;
  std::array<double, kParts> floors{};
  double loudest = 0.0;
  double quietest = std::numeric_limits<double>::max();
  for (size_t p = 0; p < parts; ++p) {
    const std::span<const float> part = x.subspan(p * size, size);
    double squares = 0.0;
    for (size_t i = 3; i < size; ++i) {
      const double third = static_cast<double>(part[i]) - 3.0 * part[i - 1] + 3.0 * part[i - 2] - part[i - 3];
      squares += third * third;
    }
    floors[p] = std::sqrt(squares / static_cast<double>(std::max<size_t>(size, 4) - 3));
    const double rms = rms_of_part(part);
    loudest = std::max(loudest, rms);
    quietest = std::min(quietest, rms);
  }
  std::sort(floors.begin(), floors.begin() + parts);
  return {.floor = floors[(parts - 1) / 8],
          .contrast = loudest / std::max(quietest, std::numeric_limits<double>::min())};
}

double high_band_energy(std::span<const float> x) {
  static const std::array<double, kHalfTaps + 1> taps = half_band_taps();
  if (x.size() <= 2 * kHalfTaps) return 0.0;
  double squares = 0.0;
  for (size_t i = kHalfTaps; i + kHalfTaps < x.size(); ++i) {
    double value = taps[0] * x[i];
    for (size_t k = 1; k <= kHalfTaps; k += 2) value += taps[k] * (static_cast<double>(x[i - k]) + x[i + k]);
    squares += value * value;
  }
  return squares / static_cast<double>(x.size() - 2 * kHalfTaps);
}

}  // namespace millwright::signal
