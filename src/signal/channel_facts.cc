// SPDX-License-Identifier: Apache-2.0
#include "signal/channel_facts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "signal/vectorised.h"

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

// About the mean. Summed in double, about a sample of the part itself.
MW_VECTORISED double rms_of_part(const float* x, size_t size) {
  double sum = 0.0;
  double squares = 0.0;
  const float shift = x[0];
  for (size_t i = 0; i < size; ++i) {
    const double d = x[i] - shift;
    sum += d;
    squares += d * d;
  }
  const auto n = static_cast<double>(size);
  return std::sqrt(std::max(0.0, squares / n - (sum / n) * (sum / n)));
}

MW_VECTORISED void measure_steps(const float* __restrict x, size_t size, ChannelFacts* facts) {
  float low = x[0];
  float high = x[0];
  float quantum = std::numeric_limits<float>::max();
  uint32_t equal = 0;
  for (size_t i = 1; i < size; ++i) {
    const float step = std::fabs(x[i] - x[i - 1]);
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    equal += step == 0.0F ? 1 : 0;
    const float live = step == 0.0F ? std::numeric_limits<float>::max() : step;
    quantum = live < quantum ? live : quantum;
  }
  facts->min = low;
  facts->max = high;
  facts->equal_pairs = equal;
  facts->quantum = quantum;
}

MW_VECTORISED double third_difference_squares(const float* x, size_t size) {
  double squares = 0.0;
  for (size_t i = 3; i < size; ++i) {
    const double third = (static_cast<double>(x[i]) - x[i - 3]) - 3.0 * (static_cast<double>(x[i - 1]) - x[i - 2]);
    squares += third * third;
  }
  return squares;
}

MW_VECTORISED void count_at(const float* x, size_t size, float high, float beside_high, float low, float beside_low,
                            ExtremeCounts* counts) {
  uint32_t at_max = 0;
  uint32_t at_min = 0;
  uint32_t near_max = 0;
  uint32_t near_min = 0;
  for (size_t i = 0; i < size; ++i) {
    at_max += x[i] == high ? 1 : 0;
    at_min += x[i] == low ? 1 : 0;
    near_max += x[i] >= beside_high ? 1 : 0;
    near_min += x[i] <= beside_low ? 1 : 0;
  }
  counts->at_max = at_max;
  counts->at_min = at_min;
  counts->below_max = near_max - at_max;
  counts->above_min = near_min - at_min;
}

MW_VECTORISED double filtered_squares(const float* x, size_t size, const double* taps) {
  double squares = 0.0;
  for (size_t i = kHalfTaps; i + kHalfTaps < size; ++i) {
    double value = taps[0] * x[i];
    for (size_t k = 1; k <= kHalfTaps; k += 2) value += taps[k] * (static_cast<double>(x[i - k]) + x[i + k]);
    squares += value * value;
  }
  return squares;
}

}  // namespace

bool all_finite(std::span<const float> x) {
  // By the exponent's bits, since this file is compiled as if every number were finite.
  constexpr uint32_t kExponent = 0x7F80'0000;
  uint32_t bad = 0;
  for (float value : x) bad |= (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  return bad == 0;
}

ChannelFacts channel_facts(std::span<const float> x) {
  ChannelFacts facts;
  measure_steps(x.data(), x.size(), &facts);
  facts.rms = rms_of_part(x.data(), x.size());
  return facts;
}

ExtremeCounts count_extremes(std::span<const float> x, const ChannelFacts& facts) {
  constexpr float kBeside = 0.02F;
  constexpr float kMinQuanta = 200.0F;
  const float range = facts.max - facts.min;
  ExtremeCounts counts{.fine_grained = range >= kMinQuanta * facts.quantum};
  count_at(x.data(), x.size(), facts.max, facts.max - kBeside * range, facts.min, facts.min + kBeside * range, &counts);
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
    const double squares = third_difference_squares(part.data(), size);
    floors[p] = std::sqrt(squares / static_cast<double>(std::max<size_t>(size, 4) - 3));
    const double rms = rms_of_part(part.data(), size);
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
  const double squares = filtered_squares(x.data(), x.size(), taps.data());
  return squares / static_cast<double>(x.size() - 2 * kHalfTaps);
}

}  // namespace millwright::signal
