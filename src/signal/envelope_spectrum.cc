// SPDX-License-Identifier: Apache-2.0
#include "signal/envelope_spectrum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

constexpr size_t kMaxPhases = 16;
constexpr size_t kBlock = 256;  // floats added in float; the rest in double

Complex turn(double turns, double scale) {
  const double angle = 2.0 * std::numbers::pi * turns;
  return {static_cast<float>(scale * std::cos(angle)), static_cast<float>(scale * std::sin(angle))};
}

MW_VECTORISED void multiply(const float* __restrict a, const float* __restrict b, size_t count, float* __restrict out) {
  for (size_t k = 0; k < count; ++k) {
    const float re = a[2 * k] * b[2 * k] - a[2 * k + 1] * b[2 * k + 1];
    const float im = a[2 * k] * b[2 * k + 1] + a[2 * k + 1] * b[2 * k];
    out[2 * k] = re;
    out[2 * k + 1] = im;
  }
}

MW_VECTORISED void magnitudes(const float* __restrict z, size_t count, float* __restrict out) {
  for (size_t k = 0; k < count; ++k) out[k] = std::sqrt(z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]);
}

MW_VECTORISED double sum_of(const float* x, size_t n) {
  double total = 0.0;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = std::min(n, begin + kBlock);
    float sum = 0.0F;
    for (size_t i = begin; i < end; ++i) sum += x[i];
    total += sum;
  }
  return total;
}

// out = (a - mean) + i (b - mean) for the first samples, zeros behind.
MW_VECTORISED void interleave(const float* __restrict a, size_t count_a, const float* __restrict b, size_t count_b,
                              float mean, size_t size, float* __restrict out) {
  const size_t both = std::min(count_a, count_b);
  for (size_t i = 0; i < both; ++i) {
    out[2 * i] = a[i] - mean;
    out[2 * i + 1] = b[i] - mean;
  }
  for (size_t i = both; i < size; ++i) {
    out[2 * i] = i < count_a ? a[i] - mean : 0.0F;
    out[2 * i + 1] = i < count_b ? b[i] - mean : 0.0F;
  }
}

// sum[k] += g[k] alpha[k] + conj(mirror[-k]) beta[k].
MW_VECTORISED void accumulate(const float* __restrict g, const float* mirror, const float* __restrict alpha,
                              const float* __restrict beta, size_t count, float* __restrict sum) {
  for (size_t k = 0; k < count; ++k) {
    const float g_re = g[2 * k];
    const float g_im = g[2 * k + 1];
    const float m_re = mirror[-2 * static_cast<ptrdiff_t>(k)];
    const float m_im = -mirror[1 - 2 * static_cast<ptrdiff_t>(k)];
    sum[2 * k] += g_re * alpha[2 * k] - g_im * alpha[2 * k + 1] + m_re * beta[2 * k] - m_im * beta[2 * k + 1];
    sum[2 * k + 1] += g_re * alpha[2 * k + 1] + g_im * alpha[2 * k] + m_re * beta[2 * k + 1] + m_im * beta[2 * k];
  }
}

float* floats(Buffer<Complex>& buffer) { return reinterpret_cast<float*>(buffer.data()); }

}  // namespace

BandBins bins_of_band(const EnvelopeFeatures& spec, double rate_hz) {
  BandBins bins;
  for (size_t k = 0; k < spec.nfft / 2; ++k) {
    const double frequency = static_cast<double>(k) * rate_hz / static_cast<double>(spec.nfft);
    if (frequency < spec.low_hz || frequency > spec.high_hz) continue;
    if (bins.count == 0) bins.first = k;
    ++bins.count;
  }
  return bins;
}

EnvelopeSpectrum::EnvelopeSpectrum(const EnvelopeFeatures& spec, size_t length, double rate_hz, Fft inverse,
                                   Fft forward)
    : size_(spec.nfft),
      length_(length),
      bins_(spec.bins),
      groups_(spec.groups),
      part_(inverse.size()),
      phases_(spec.nfft / inverse.size()),
      inverse_(std::move(inverse)),
      forward_(std::move(forward)),
      in_(part_),
      out_(part_ + 1),
      spectrum_(bins_),
      magnitude_(bins_) {
  const BandBins band = bins_of_band(spec, rate_hz);
  first_bin_ = band.first;
  kept_ = band.count;
  band_ = Buffer<Complex>(kept_);
  make_tables();
}

Result<EnvelopeSpectrum> EnvelopeSpectrum::create(const EnvelopeFeatures& spec, size_t length, double rate_hz) {
  const BandBins band = bins_of_band(spec, rate_hz);
  if (band.count == 0) return fail(ErrorCode::kInvalidInput, "envelope: no bin lies in its band");
  const size_t part = std::max(std::bit_ceil(band.count), std::max<size_t>(1, spec.nfft / kMaxPhases));
  return EnvelopeSpectrum(spec, length, rate_hz, MW_TRY(Fft::create(part, Direction::kInverse)),
                          MW_TRY(Fft::create(part, Direction::kForward)));
}

void EnvelopeSpectrum::make_tables() {
  const auto n = static_cast<double>(size_);
  for (size_t r = 0; r < phases_; ++r) {
    Buffer<Complex> shift(kept_);
    for (size_t k = 0; k < kept_; ++k) shift[k] = turn(static_cast<double>(r * k % size_) / n, 1.0);
    shifts_.push_back(std::move(shift));
    envelope_.emplace_back(part_);
  }
  // G = F_r + i F_s for the real parts r and s; F_r = (G[k] + conj G[-k]) / 2, F_s = (G[k] - conj G[-k]) / 2i. With
  // u = exp(-2 pi i r k / n) and v the same of s: u F_r + v F_s = G[k] (u - i v) / 2 + conj G[-k] (u + i v) / 2.
  for (size_t r = 0; r < phases_; r += 2) {
    Buffer<Complex> alpha(bins_);
    Buffer<Complex> beta(bins_);
    const bool paired = r + 1 < phases_;
    for (size_t j = 0; j < bins_; ++j) {
      const size_t k = j + 1;
      const Complex u = turn(-static_cast<double>(r * k % size_) / n, 0.5);
      const Complex v = paired ? turn(-static_cast<double>((r + 1) * k % size_) / n, 0.5) : Complex{};
      alpha[j] = Complex(u.real() + v.imag(), u.imag() - v.real());
      beta[j] = Complex(u.real() - v.imag(), u.imag() + v.real());
    }
    alphas_.push_back(std::move(alpha));
    betas_.push_back(std::move(beta));
  }
}

void EnvelopeSpectrum::fill_phase(size_t phase, Buffer<float>& envelope) {
  multiply(floats(band_), floats(shifts_[phase]), kept_, floats(in_));
  std::fill(in_.data() + kept_, in_.data() + part_, Complex{});
  inverse_.run(in_, out_);
  magnitudes(floats(out_), part_, envelope.data());
}

void EnvelopeSpectrum::add_spectrum(size_t pair) {
  forward_.run(in_, out_);
  out_[part_] = out_[0];
  // Bin k of size n is bin k mod m of each part; the parts' bins repeat where more than m are asked for.
  for (size_t done = 0; done < bins_;) {
    const size_t bin = (done + 1) % part_;
    const size_t count = std::min(bins_ - done, part_ - bin);
    accumulate(floats(out_) + 2 * bin, floats(out_) + 2 * (part_ - bin), floats(alphas_[pair]) + 2 * done,
               floats(betas_[pair]) + 2 * done, count, floats(spectrum_) + 2 * done);
    done += count;
  }
}

void EnvelopeSpectrum::compute(const PairTransform& transform, float gain, std::span<float> out) {
  if (gain == 0.0F) {
    std::ranges::fill(out, 0.0F);
    return;
  }
  transform.bins_b(first_bin_, 2.0F / static_cast<float>(size_) / gain, {band_.data(), kept_});
  const auto samples_of = [&](size_t phase) {
    return phase < length_ ? (length_ - phase + phases_ - 1) / phases_ : size_t{0};
  };
  double sum = 0.0;
  for (size_t r = 0; r < phases_; ++r) {
    fill_phase(r, envelope_[r]);
    sum += sum_of(envelope_[r].data(), samples_of(r));
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(length_));
  std::fill_n(spectrum_.data(), bins_, Complex{});
  for (size_t r = 0; r < phases_; r += 2) {
    const bool paired = r + 1 < phases_;
    interleave(envelope_[r].data(), samples_of(r), envelope_[paired ? r + 1 : r].data(), paired ? samples_of(r + 1) : 0,
               mean, part_, floats(in_));
    add_spectrum(r / 2);
  }
  magnitudes(floats(spectrum_), bins_, magnitude_.data());
  size_t bin = 0;
  for (size_t i = 0; i < groups_; ++i) {
    const size_t count = bins_of_group(i, bins_, groups_);
    out[i] = static_cast<float>(sum_of(magnitude_.data() + bin, count) / static_cast<double>(count));
    bin += count;
  }
}

}  // namespace millwright::signal
