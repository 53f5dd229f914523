// SPDX-License-Identifier: Apache-2.0
#include "signal/log_mel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "signal/hann.h"
#include "signal/lanes.h"
#include "signal/mel_bank.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

constexpr float kFloor = 1e-10F;
constexpr size_t kPairsPerRenormalisation = 16;  // a product of 32 mantissas below 2 stays below 2^33

// sums[l] = sum over bins of power * weight, for eight filters and two frames. Two rows at a time, since each sum must
// wait for the one before it.
MW_VECTORISED void apply_octet(const float* __restrict power_a, const float* __restrict power_b,
                               const float* __restrict weights, size_t count, float* __restrict sums_a,
                               float* __restrict sums_b) {
  Lanes even_a{}, even_b{}, odd_a{}, odd_b{};
  size_t k = 0;
  for (; k + 2 <= count; k += 2) {
    Lanes even, odd;
    MW_LOAD(even, weights + kLanes * k);
    MW_LOAD(odd, weights + kLanes * (k + 1));
    even_a += even * power_a[k];
    even_b += even * power_b[k];
    odd_a += odd * power_a[k + 1];
    odd_b += odd * power_b[k + 1];
  }
  if (k < count) {
    Lanes even;
    MW_LOAD(even, weights + kLanes * k);
    even_a += even * power_a[k];
    even_b += even * power_b[k];
  }
  even_a += odd_a;
  even_b += odd_b;
  MW_STORE(sums_a, even_a);
  MW_STORE(sums_b, even_b);
}

// mantissa 2^exponent *= sum * scale + 1e-10, the mantissa of each factor in [1, 2).
MW_VECTORISED void multiply_in(const float* __restrict sums, float scale, float* __restrict mantissa,
                               int32_t* __restrict exponent) {
  for (size_t l = 0; l < kLanes; ++l) {
    const float value = sums[l] * scale + kFloor;
    const float bounded = value < std::numeric_limits<float>::max() ? value : std::numeric_limits<float>::max();
    const auto bits = std::bit_cast<int32_t>(bounded);
    exponent[l] += (bits >> 23) - 127;
    mantissa[l] *= std::bit_cast<float>((bits & 0x007FFFFF) | 0x3F800000);
  }
}

MW_VECTORISED void renormalise(float* __restrict mantissa, int32_t* __restrict exponent, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<int32_t>(mantissa[i]);
    exponent[i] += (bits >> 23) - 127;
    mantissa[i] = std::bit_cast<float>((bits & 0x007FFFFF) | 0x3F800000);
  }
}

}  // namespace

LogMel::LogMel(const LogMelFeatures& spec, double rate_hz, PairTransform transform)
    : spec_(spec),
      transform_(std::move(transform)),
      taper_(hann(spec.frame)),
      power_a_(spec.frame / 2 + 1),
      power_b_(spec.frame / 2 + 1) {
  make_bank(rate_hz);
}

Result<LogMel> LogMel::create(const LogMelFeatures& spec, double rate_hz) {
  return LogMel(spec, rate_hz, MW_TRY(PairTransform::create(spec.frame)));
}

void LogMel::make_bank(double rate_hz) {
  const std::vector<size_t> corners = mel_corners(spec_.bands, spec_.frame, rate_hz, spec_.high_hz);
  const size_t octets = (spec_.bands + kLanes - 1) / kLanes;
  size_t rows = 0;
  for (size_t o = 0; o < octets; ++o) {
    const size_t first = corners[o * kLanes];
    const size_t last = corners[std::min(spec_.bands, (o + 1) * kLanes) + 1];
    octets_.push_back({.first = first, .count = last - first, .weights = rows * kLanes});
    rows += last - first;
  }
  weights_ = Buffer<float>(rows * kLanes);
  for (size_t o = 0; o < octets; ++o) {
    for (size_t k = 0; k < octets_[o].count; ++k) {
      for (size_t l = 0; l < kLanes && o * kLanes + l < spec_.bands; ++l) {
        weights_[octets_[o].weights + kLanes * k + l] = mel_weight(corners, o * kLanes + l, octets_[o].first + k);
      }
    }
  }
  mantissa_ = Buffer<float>(octets * kLanes);
  exponent_ = Buffer<int32_t>(octets * kLanes);
}

void LogMel::add_frame_pair(float scale_a, float scale_b, bool has_b) {
  float sums_a[kLanes];
  float sums_b[kLanes];
  for (size_t o = 0; o < octets_.size(); ++o) {
    const Octet& octet = octets_[o];
    apply_octet(power_a_.data() + octet.first, power_b_.data() + octet.first, weights_.data() + octet.weights,
                octet.count, sums_a, sums_b);
    float* mantissa = mantissa_.data() + o * kLanes;
    int32_t* exponent = exponent_.data() + o * kLanes;
    multiply_in(sums_a, scale_a, mantissa, exponent);
    if (has_b) multiply_in(sums_b, scale_b, mantissa, exponent);
  }
}

void LogMel::compute(std::span<const float> x, std::span<float> out) {
  const size_t frames = (x.size() - spec_.frame) / spec_.hop + 1;
  std::fill_n(mantissa_.data(), mantissa_.size(), 1.0F);
  std::fill_n(exponent_.data(), exponent_.size(), 0);
  // The gains are powers of two; a silent frame has gain 0 and is made of zeros.
  const auto undo = [](float gain) { return gain > 0.0F ? 1.0F / gain / gain : 0.0F; };
  size_t pairs = 0;
  for (size_t f = 0; f < frames; f += 2) {
    const bool paired = f + 1 < frames;
    const float* a = x.data() + f * spec_.hop;
    const float* b = paired ? a + spec_.hop : a;
    const PairGain gain = transform_.run({a, taper_.data(), b, taper_.data(), spec_.frame});
    transform_.powers({power_a_.data(), power_a_.size()}, {power_b_.data(), power_b_.size()});
    add_frame_pair(undo(gain.a), undo(gain.b), paired);
    if (++pairs % kPairsPerRenormalisation == 0) renormalise(mantissa_.data(), exponent_.data(), mantissa_.size());
  }
  const float per_frame = 1.0F / static_cast<float>(frames);
  for (size_t i = 0; i < spec_.bands; ++i) {
    const float log2_product = std::log2(mantissa_[i]) + static_cast<float>(exponent_[i]);
    out[i] = log2_product * per_frame * std::numbers::ln2_v<float>;
  }
}

}  // namespace millwright::signal
