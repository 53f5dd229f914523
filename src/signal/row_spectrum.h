// SPDX-License-Identifier: Apache-2.0
// The spectrum features of sixteen windows: as BandSpectrum over the tapered window's powers.
#pragma once

#include <span>
#include <vector>

#include "signal/feature_spec.h"
#include "signal/row_fft.h"

namespace millwright::signal {

class RowSpectrum {
 public:
  // spec.nfft >= 2 * RowFft::kMinSize.
  RowSpectrum(const SpectrumFeatures& spec, size_t length, double rate_hz);

  // `x` has the length's Rows; `out` takes as many Rows as the group has features.
  void compute(const Row* x, Row* out);

 private:
  // A run of bins that lies in one band, or in none, and is short enough to be added in float.
  struct Run {
    size_t first = 0;
    size_t count = 0;
    size_t band = 0;  // one past the last: in none
  };
  void make_runs(const std::vector<size_t>& corners);

  size_t length_;
  size_t bands_;
  double bin_hz_;
  RowFft fft_;
  Buffer<float> taper_;
  std::vector<Run> runs_;
  std::vector<RowSum> band_sums_;
  RowBuffer bins_;
  RowBuffer powers_;
};

}  // namespace millwright::signal
