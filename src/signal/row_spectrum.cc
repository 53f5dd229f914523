// SPDX-License-Identifier: Apache-2.0
#include "signal/row_spectrum.h"

#include <algorithm>

#include "signal/band_spectrum.h"
#include "signal/hann.h"
#include "signal/row_kernels.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

struct Largest {
  Row power{};
  RowBits bin{};
};

struct Sums {
  RowSum power, first, second;
};

// A bin is counted from the run's start, which keeps the weights small and the sums exact.
MW_VECTORISED void measure_run(const Row* p, size_t first_bin, size_t count, Sums* sums, RowSum* band,
                               Largest* largest) {
  Row power{};
  Row first{};
  Row second{};
  Row high = largest->power;
  RowBits at = largest->bin;
  for (size_t j = 0; j < count; ++j) {
    const auto weight = static_cast<float>(static_cast<int>(j));
    const Row value = p[j];
    const Row weighted = weight * value;
    power += value;
    first += weighted;
    second += weight * weighted;
    const RowBits bin = RowBits{} + static_cast<int32_t>(first_bin + j);
    at = value > high ? bin : at;
    high = value > high ? value : high;
  }
  largest->power = high;
  largest->bin = at;
  const auto start = static_cast<double>(first_bin);
  add_wide(power, *band);
  add_wide(power, sums->power);
  add_wide(first, sums->first);
  add_wide(power, start, sums->first);
  add_wide(second, sums->second);
  add_wide(first, 2.0 * start, sums->second);
  add_wide(power, start * start, sums->second);
}

}  // namespace

RowSpectrum::RowSpectrum(const SpectrumFeatures& spec, size_t length, double rate_hz)
    : length_(length),
      bands_(spec.edges_hz.size() - 1),
      bin_hz_(rate_hz / static_cast<double>(spec.nfft)),
      fft_(spec.nfft / 2),
      taper_(hann(length)),
      band_sums_(bands_ + 1),
      bins_(spec.nfft),
      powers_(spec.nfft / 2 + 1) {
  make_runs(band_corners(spec, rate_hz));
}

void RowSpectrum::make_runs(const std::vector<size_t>& corners) {
  const auto add = [&](size_t begin, size_t end, size_t band) {
    for (size_t first = begin; first < end; first += kRowBlock) {
      runs_.push_back({.first = first, .count = std::min(kRowBlock, end - first), .band = band});
    }
  };
  add(0, corners.front(), bands_);
  for (size_t band = 0; band < bands_; ++band) add(corners[band], corners[band + 1], band);
  add(corners.back(), fft_.size() + 1, bands_);
}

void RowSpectrum::compute(const Row* x, Row* out) {
  taper_rows(x, taper_.data(), length_, bins_.data());
  clear_rows(bins_.data() + length_, 2 * fft_.size() - length_);
  fft_.run(bins_.data());
  fft_.powers(bins_.data(), powers_.data());
  std::ranges::fill(band_sums_, RowSum{});
  Sums sums;
  Largest largest;
  for (const Run& run : runs_) {
    measure_run(powers_.data() + run.first, run.first, run.count, &sums, &band_sums_[run.band], &largest);
  }
  for (size_t l = 0; l < kRowLanes; ++l) {
    for (size_t band = 0; band < bands_; ++band) out[band][l] = static_cast<float>(band_sums_[band].lane[l]);
    const SpectrumSums lane{.power = sums.power.lane[l],
                            .first = sums.first.lane[l],
                            .second = sums.second.lane[l],
                            .dominant = static_cast<size_t>(largest.bin[l])};
    float shape[3];
    finish_spectrum(lane, bin_hz_, shape);
    for (size_t i = 0; i < 3; ++i) out[bands_ + i][l] = shape[i];
  }
}

}  // namespace millwright::signal
