// SPDX-License-Identifier: Apache-2.0
#include "signal/pair_transform.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "signal/lanes.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

constexpr float kMaxMagnitudeRatio = 4.0F;

struct Peaks {
  float a = 0.0F;
  float b = 0.0F;
};

MW_VECTORISED void pack(const RealPair& pair, PairGain gain, float* __restrict out, Peaks* peaks) {
  const float* __restrict a = pair.a;
  const float* __restrict b = pair.b;
  const float* __restrict taper_a = pair.taper_a;
  const float* __restrict taper_b = pair.taper_b;
  float peak_a = 0.0F;
  float peak_b = 0.0F;
  for (size_t i = 0; i < pair.length; ++i) {
    const float va = a[i] * taper_a[i] * gain.a;
    const float vb = b[i] * taper_b[i] * gain.b;
    out[2 * i] = va;
    out[2 * i + 1] = vb;
    const float abs_a = std::fabs(va);
    const float abs_b = std::fabs(vb);
    peak_a = abs_a > peak_a ? abs_a : peak_a;
    peak_b = abs_b > peak_b ? abs_b : peak_b;
  }
  *peaks = {peak_a, peak_b};
}

// A[k] = (Z[k] + conj Z[n - k]) / 2 and B[k] = (Z[k] - conj Z[n - k]) / 2i, for bins [0, n / 2]. `z` has n + 1 bins.
MW_VECTORISED void split_powers_a(const float* __restrict z, size_t n, float* __restrict out) {
  size_t k = 0;
  for (; k + kLanes <= n / 2 + 1; k += kLanes) {
    Lanes low, high, mirror_low, mirror_high;
    MW_LOAD(low, z + 2 * k);
    MW_LOAD(high, z + 2 * k + kLanes);
    MW_LOAD(mirror_low, z + 2 * (n - k) - 2 * (kLanes - 1));
    MW_LOAD(mirror_high, z + 2 * (n - k) - 2 * (kLanes - 1) + kLanes);
    const Lanes re = MW_REAL(low, high) + MW_REAL_REVERSED(mirror_low, mirror_high);
    const Lanes im = MW_IMAG(low, high) - MW_IMAG_REVERSED(mirror_low, mirror_high);
    const Lanes power = 0.25F * (re * re + im * im);
    MW_STORE(out + k, power);
  }
  for (; k <= n / 2; ++k) {
    const float re = z[2 * k] + z[2 * (n - k)];
    const float im = z[2 * k + 1] - z[2 * (n - k) + 1];
    out[k] = 0.25F * (re * re + im * im);
  }
}

MW_VECTORISED void split_powers(const float* __restrict z, size_t n, float* __restrict a, float* __restrict b) {
  size_t k = 0;
  for (; k + kLanes <= n / 2 + 1; k += kLanes) {
    Lanes low, high, mirror_low, mirror_high;
    MW_LOAD(low, z + 2 * k);
    MW_LOAD(high, z + 2 * k + kLanes);
    MW_LOAD(mirror_low, z + 2 * (n - k) - 2 * (kLanes - 1));
    MW_LOAD(mirror_high, z + 2 * (n - k) - 2 * (kLanes - 1) + kLanes);
    const Lanes re = MW_REAL(low, high);
    const Lanes im = MW_IMAG(low, high);
    const Lanes mirror_re = MW_REAL_REVERSED(mirror_low, mirror_high);
    const Lanes mirror_im = MW_IMAG_REVERSED(mirror_low, mirror_high);
    const Lanes a_re = re + mirror_re;
    const Lanes a_im = im - mirror_im;
    const Lanes b_re = im + mirror_im;
    const Lanes b_im = re - mirror_re;
    const Lanes power_a = 0.25F * (a_re * a_re + a_im * a_im);
    const Lanes power_b = 0.25F * (b_re * b_re + b_im * b_im);
    MW_STORE(a + k, power_a);
    MW_STORE(b + k, power_b);
  }
  for (; k <= n / 2; ++k) {
    const float a_re = z[2 * k] + z[2 * (n - k)];
    const float a_im = z[2 * k + 1] - z[2 * (n - k) + 1];
    const float b_re = z[2 * k + 1] + z[2 * (n - k) + 1];
    const float b_im = z[2 * k] - z[2 * (n - k)];
    a[k] = 0.25F * (a_re * a_re + a_im * a_im);
    b[k] = 0.25F * (b_re * b_re + b_im * b_im);
  }
}

MW_VECTORISED void split_bins_b(const float* __restrict z, size_t n, size_t first, size_t count, float factor,
                                float* __restrict out) {
  const float* low = z + 2 * first;
  const float* mirror = z + 2 * (n - first);
  const float half = 0.5F * factor;
  for (size_t k = 0; k < count; ++k) {
    out[2 * k] = half * (low[2 * k + 1] + mirror[1 - 2 * static_cast<ptrdiff_t>(k)]);
    out[2 * k + 1] = half * (mirror[-2 * static_cast<ptrdiff_t>(k)] - low[2 * k]);
  }
}

// The power of two that brings `peak` to about 1; 0 for silence.
float gain_for(float peak) { return peak > 0.0F ? std::ldexp(1.0F, -std::clamp(std::ilogb(peak), -120, 120)) : 0.0F; }

const float* floats(const Buffer<Complex>& buffer) { return reinterpret_cast<const float*>(buffer.data()); }

}  // namespace

PairTransform::PairTransform(Fft fft) : fft_(std::move(fft)), time_(fft_.size()), bins_(fft_.size() + 1) {}

Result<PairTransform> PairTransform::create(size_t size) {
  return PairTransform(MW_TRY(Fft::create(size, Direction::kForward)));
}

PairGain PairTransform::run(const RealPair& pair) {
  MW_CHECK(pair.length <= size(), "a signal fits into its transform");
  auto* time = reinterpret_cast<float*>(time_.data());
  PairGain gain;
  Peaks peaks;
  pack(pair, gain, time, &peaks);
  if (!(peaks.a <= kMaxMagnitudeRatio * peaks.b && peaks.b <= kMaxMagnitudeRatio * peaks.a)) {
    gain = {gain_for(peaks.a), gain_for(peaks.b)};
    pack(pair, gain, time, &peaks);
  }
  std::fill(time_.data() + pair.length, time_.data() + size(), Complex{});
  fft_.run(time_, bins_);
  bins_[size()] = bins_[0];
  return gain;
}

void PairTransform::powers_a(std::span<float> out) const {
  MW_CHECK(out.size() >= size() / 2 + 1, "room for all bins");
  split_powers_a(floats(bins_), size(), out.data());
}

void PairTransform::powers(std::span<float> a, std::span<float> b) const {
  MW_CHECK(a.size() >= size() / 2 + 1 && b.size() >= size() / 2 + 1, "room for all bins");
  split_powers(floats(bins_), size(), a.data(), b.data());
}

void PairTransform::bins_b(size_t first, float factor, std::span<Complex> out) const {
  MW_CHECK(first + out.size() <= size() / 2 + 1, "bins of the lower half");
  split_bins_b(floats(bins_), size(), first, out.size(), factor, reinterpret_cast<float*>(out.data()));
}

}  // namespace millwright::signal
