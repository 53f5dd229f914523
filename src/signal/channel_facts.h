// SPDX-License-Identifier: Apache-2.0
// What a channel's samples say about its sensor. Pure functions on finite, not empty spans, except all_finite().
#pragma once

#include <cstddef>
#include <span>

namespace millwright::signal {

bool all_finite(std::span<const float> x);

struct ChannelFacts {
  float min = 0.0F;
  float max = 0.0F;
  double rms = 0.0;        // about the mean
  size_t equal_pairs = 0;  // neighbours that are equal
  float quantum = 0.0F;    // the smallest difference between neighbours that differ
};
ChannelFacts channel_facts(std::span<const float> x);

// Samples at the extremes, and within 2 % of the range beside them. Meaningful where the range holds 200 quanta.
struct ExtremeCounts {
  bool fine_grained = false;
  size_t at_max = 0, below_max = 0;
  size_t at_min = 0, above_min = 0;
};
ExtremeCounts count_extremes(std::span<const float> x, const ChannelFacts& facts);
size_t count_beyond(std::span<const float> x, float magnitude);

// Runs of equal samples: of zeros, and of any other value.
struct RunFacts {
  size_t longest = 0;
  size_t longest_zero = 0;
  size_t zeros_in_runs = 0;  // in runs of at least 4
};
RunFacts run_facts(std::span<const float> x);

// The window in 16 parts. The floor is the RMS of the third difference in the quietest eighth of the parts: a hum has
// next to none, noise has 4.5 times its own RMS. The contrast is the loudest part's RMS (about its mean) over the
// quietest one's.
struct NoiseFacts {
  double floor = 0.0;
  double contrast = 1.0;
};
NoiseFacts noise_facts(std::span<const float> x);

// Mean square of what lies above a quarter of the sample rate, by a half-band filter of 19 taps.
double high_band_energy(std::span<const float> x);

}  // namespace millwright::signal
