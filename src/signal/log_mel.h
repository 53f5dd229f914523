// SPDX-License-Identifier: Apache-2.0
// Mean over frames of log(mel power + 1e-10).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "signal/feature_spec.h"
#include "signal/fft.h"
#include "signal/pair_transform.h"

namespace millwright::signal {

class LogMel {
 public:
  static Result<LogMel> create(const LogMelFeatures& spec, double rate_hz);

  // `x` has at least one frame. Writes spec.bands floats.
  void compute(std::span<const float> x, std::span<float> out);

 private:
  // Filters are taken eight at a time; a bin outside [first, first + count) is in none of the eight.
  struct Octet {
    size_t first = 0;
    size_t count = 0;
    size_t weights = 0;  // where the octet's rows of eight begin in weights_
  };

  LogMel(const LogMelFeatures& spec, double rate_hz, PairTransform transform);
  void make_bank(double rate_hz);
  void add_frame_pair(float scale_a, float scale_b, bool has_b);

  LogMelFeatures spec_;
  PairTransform transform_;
  Buffer<float> taper_;
  Buffer<float> power_a_;
  Buffer<float> power_b_;
  std::vector<Octet> octets_;
  Buffer<float> weights_;
  // The product of all frames' values, as mantissa and binary exponent: one logarithm per band is enough.
  Buffer<float> mantissa_;
  Buffer<int32_t> exponent_;
};

}  // namespace millwright::signal
