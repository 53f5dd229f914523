// SPDX-License-Identifier: Apache-2.0
// The log-mel features of sixteen windows: as LogMel.
#pragma once

#include <vector>

#include "signal/feature_spec.h"
#include "signal/row_fft.h"

namespace millwright::signal {

class RowLogMel {
 public:
  // spec.frame >= 2 * RowFft::kMinSize.
  RowLogMel(const LogMelFeatures& spec, size_t length, double rate_hz);

  // `x` has the length's Rows, at least one frame; `out` takes spec.bands Rows.
  void compute(const Row* x, Row* out);

 private:
  // Bins [first, first + count) of a filter whose weights begin at `weights`.
  struct Band {
    size_t first = 0;
    size_t count = 0;
    size_t weights = 0;
  };

  LogMelFeatures spec_;
  size_t length_;
  RowFft fft_;
  Buffer<float> taper_;
  std::vector<Band> bands_;
  std::vector<float> weights_;
  RowBuffer bins_;
  RowBuffer powers_;
  // The product of all frames' values, as mantissa and binary exponent: one logarithm per band is enough.
  RowBuffer mantissas_;
  RowBuffer exponents_;
};

}  // namespace millwright::signal
