// SPDX-License-Identifier: Apache-2.0
// Band energies, dominant frequency, centroid and RMS frequency of a power spectrum.
#pragma once

#include <span>
#include <vector>

#include "signal/feature_spec.h"

namespace millwright::signal {

class BandSpectrum {
 public:
  BandSpectrum(const SpectrumFeatures& spec, double rate_hz);

  // `power` holds bins 0 .. nfft / 2, to be multiplied by `scale`; `out` has as many floats as the group features.
  void compute(std::span<const float> power, double scale, std::span<float> out) const;

 private:
  double bin_hz_;
  std::vector<size_t> corners_;  // first bin at or above each edge
};

}  // namespace millwright::signal
