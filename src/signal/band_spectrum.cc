// SPDX-License-Identifier: Apache-2.0
#include "signal/band_spectrum.h"

#include <algorithm>
#include <cmath>

#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

constexpr size_t kBlock = 256;  // floats added in float; the rest in double

MW_VECTORISED double sum_range(const float* p, size_t begin, size_t end) {
  double total = 0.0;
  for (size_t at = begin; at < end; at += kBlock) {
    const size_t stop = std::min(end, at + kBlock);
    float sum = 0.0F;
    for (size_t k = at; k < stop; ++k) sum += p[k];
    total += sum;
  }
  return total;
}

struct SpectrumSums {
  double power = 0.0, first = 0.0, second = 0.0;  // sum of p, k p, k^2 p
  float max = 0.0F;
};

MW_VECTORISED void measure_spectrum(const float* p, size_t bins, SpectrumSums* sums) {
  float high = p[0];
  for (size_t at = 0; at < bins; at += kBlock) {
    // Within a block the bin is counted from the block's start, which keeps the weights small and the sums exact.
    const size_t count = std::min(bins - at, kBlock);
    float power = 0.0F;
    float first = 0.0F;
    float second = 0.0F;
    for (size_t j = 0; j < count; ++j) {
      const auto weight = static_cast<float>(static_cast<int>(j));
      const float value = p[at + j];
      power += value;
      first += weight * value;
      second += weight * weight * value;
      high = value > high ? value : high;
    }
    const auto start = static_cast<double>(at);
    sums->power += power;
    sums->first += first + start * power;
    sums->second += second + 2.0 * start * first + start * start * power;
  }
  sums->max = high;
}

}  // namespace

BandSpectrum::BandSpectrum(const SpectrumFeatures& spec, double rate_hz)
    : bin_hz_(rate_hz / static_cast<double>(spec.nfft)) {
  for (double edge : spec.edges_hz) {
    size_t bin = static_cast<size_t>(edge / bin_hz_);
    while (bin > 0 && static_cast<double>(bin - 1) * bin_hz_ >= edge) --bin;
    while (static_cast<double>(bin) * bin_hz_ < edge) ++bin;
    corners_.push_back(std::min(bin, spec.nfft / 2 + 1));
  }
}

void BandSpectrum::compute(std::span<const float> power, double scale, std::span<float> out) const {
  const size_t bands = corners_.size() - 1;
  for (size_t i = 0; i < bands; ++i) {
    out[i] = static_cast<float>(scale * sum_range(power.data(), corners_[i], corners_[i + 1]));
  }
  SpectrumSums sums;
  measure_spectrum(power.data(), power.size(), &sums);
  const auto dominant = std::ranges::find(power, sums.max) - power.begin();
  const bool live = sums.power > 0.0;
  out[bands] = live ? static_cast<float>(static_cast<double>(dominant) * bin_hz_) : 0.0F;
  out[bands + 1] = live ? static_cast<float>(sums.first / sums.power * bin_hz_) : 0.0F;
  out[bands + 2] = live ? static_cast<float>(std::sqrt(sums.second / sums.power) * bin_hz_) : 0.0F;
}

}  // namespace millwright::signal
