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

MW_VECTORISED void measure_spectrum(const float* p, size_t bins, SpectrumSums* sums, float* max) {
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
  *max = high;
}

}  // namespace

std::vector<size_t> band_corners(const SpectrumFeatures& spec, double rate_hz) {
  const double bin_hz = rate_hz / static_cast<double>(spec.nfft);
  std::vector<size_t> corners;
  for (double edge : spec.edges_hz) {
    size_t bin = static_cast<size_t>(edge / bin_hz);
    while (bin > 0 && static_cast<double>(bin - 1) * bin_hz >= edge) --bin;
    while (static_cast<double>(bin) * bin_hz < edge) ++bin;
    corners.push_back(std::min(bin, spec.nfft / 2 + 1));
  }
  return corners;
}

void finish_spectrum(const SpectrumSums& sums, double bin_hz, std::span<float, 3> out) {
  const bool live = sums.power > 0.0;
  out[0] = live ? static_cast<float>(static_cast<double>(sums.dominant) * bin_hz) : 0.0F;
  out[1] = live ? static_cast<float>(sums.first / sums.power * bin_hz) : 0.0F;
  out[2] = live ? static_cast<float>(std::sqrt(sums.second / sums.power) * bin_hz) : 0.0F;
}

BandSpectrum::BandSpectrum(const SpectrumFeatures& spec, double rate_hz)
    : bin_hz_(rate_hz / static_cast<double>(spec.nfft)), corners_(band_corners(spec, rate_hz)) {}

void BandSpectrum::compute(std::span<const float> power, double scale, std::span<float> out) const {
  const size_t bands = corners_.size() - 1;
  for (size_t i = 0; i < bands; ++i) {
    out[i] = static_cast<float>(scale * sum_range(power.data(), corners_[i], corners_[i + 1]));
  }
  SpectrumSums sums;
  float max = 0.0F;
  measure_spectrum(power.data(), power.size(), &sums, &max);
  sums.dominant = static_cast<size_t>(std::ranges::find(power, max) - power.begin());
  finish_spectrum(sums, bin_hz_, out.subspan(bands).first<3>());
}

}  // namespace millwright::signal
