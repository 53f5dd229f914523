// SPDX-License-Identifier: Apache-2.0
#include "signal/row_log_mel.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "signal/hann.h"
#include "signal/mel_bank.h"
#include "signal/row_kernels.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

constexpr float kFloor = 1e-10F;
constexpr size_t kFramesPerRenormalisation = 32;  // a product of 32 mantissas below 2 stays below 2^33

// mantissa 2^exponent = value, the mantissa in [1, 2).
MW_ROW_INLINE void split(const Row& value, Row& mantissa, RowBits& exponent) {
  const auto bits = reinterpret_cast<const RowBits&>(value);
  exponent = (bits >> 23) - 127;
  const RowBits fraction = (bits & 0x007FFFFF) | 0x3F800000;
  mantissa = reinterpret_cast<const Row&>(fraction);
}

// mantissa 2^exponent *= sum of weighted powers + 1e-10.
MW_VECTORISED void multiply_in(const Row* powers, const float* weights, size_t count, Row* mantissa,
                               RowBits* exponent) {
  Row sum{};
  for (size_t k = 0; k < count; ++k) sum += weights[k] * powers[k];
  constexpr float kMax = std::numeric_limits<float>::max();
  Row value = sum + kFloor;
  value = value < kMax ? value : Row{} + kMax;
  Row factor;
  RowBits more;
  split(value, factor, more);
  *mantissa *= factor;
  *exponent += more;
}

MW_VECTORISED void renormalise(size_t count, Row* mantissas, RowBits* exponents) {
  for (size_t i = 0; i < count; ++i) {
    RowBits more;
    split(mantissas[i], mantissas[i], more);
    exponents[i] += more;
  }
}

}  // namespace

RowLogMel::RowLogMel(const LogMelFeatures& spec, size_t length, double rate_hz)
    : spec_(spec),
      length_(length),
      fft_(spec.frame / 2),
      taper_(hann(spec.frame)),
      bins_(spec.frame),
      powers_(spec.frame / 2 + 1),
      mantissas_(spec.bands),
      exponents_(spec.bands) {
  const std::vector<size_t> corners = mel_corners(spec.bands, spec.frame, rate_hz, spec.high_hz);
  for (size_t i = 0; i < spec.bands; ++i) {
    Band band{.first = corners[i], .count = 0, .weights = weights_.size()};
    for (size_t k = corners[i]; k < corners[i + 2]; ++k) {
      weights_.push_back(mel_weight(corners, i, k));
      ++band.count;
    }
    bands_.push_back(band);
  }
}

void RowLogMel::compute(const Row* x, Row* out) {
  const size_t frames = (length_ - spec_.frame) / spec_.hop + 1;
  auto* exponents = reinterpret_cast<RowBits*>(exponents_.data());
  for (size_t i = 0; i < spec_.bands; ++i) mantissas_.data()[i] = Row{} + 1.0F;
  clear_rows(exponents_.data(), spec_.bands);
  for (size_t f = 0; f < frames; ++f) {
    taper_rows(x + f * spec_.hop, taper_.data(), spec_.frame, bins_.data());
    fft_.run(bins_.data());
    fft_.powers(bins_.data(), powers_.data());
    for (size_t i = 0; i < spec_.bands; ++i) {
      const Band& band = bands_[i];
      multiply_in(powers_.data() + band.first, weights_.data() + band.weights, band.count, mantissas_.data() + i,
                  exponents + i);
    }
    if ((f + 1) % kFramesPerRenormalisation == 0) renormalise(spec_.bands, mantissas_.data(), exponents);
  }
  const float per_frame = 1.0F / static_cast<float>(frames);
  for (size_t i = 0; i < spec_.bands; ++i) {
    for (size_t l = 0; l < kRowLanes; ++l) {
      const float log2_product = std::log2(mantissas_.data()[i][l]) + static_cast<float>(exponents[i][l]);
      out[i][l] = log2_product * per_frame * std::numbers::ln2_v<float>;
    }
  }
}

}  // namespace millwright::signal
