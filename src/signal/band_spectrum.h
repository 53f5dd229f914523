// SPDX-License-Identifier: Apache-2.0
// Band energies, dominant frequency, centroid and RMS frequency of a power spectrum.
#pragma once

#include <span>
#include <vector>

#include "signal/feature_spec.h"

namespace millwright::signal {

// The first bin at or above each edge.
std::vector<size_t> band_corners(const SpectrumFeatures& spec, double rate_hz);

// Sums over bins k: of p, k p, k^2 p; and the first bin where p is largest.
struct SpectrumSums {
  double power = 0.0, first = 0.0, second = 0.0;
  size_t dominant = 0;
};

// Dominant frequency, centroid and RMS frequency; zeros for silence.
void finish_spectrum(const SpectrumSums& sums, double bin_hz, std::span<float, 3> out);

class BandSpectrum {
 public:
  BandSpectrum(const SpectrumFeatures& spec, double rate_hz);

  // `power` holds bins 0 .. nfft / 2, to be multiplied by `scale`; `out` has as many floats as the group features.
  void compute(std::span<const float> power, double scale, std::span<float> out) const;

 private:
  double bin_hz_;
  std::vector<size_t> corners_;
};

}  // namespace millwright::signal
