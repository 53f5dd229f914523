// SPDX-License-Identifier: Apache-2.0
// The envelope spectrum of sixteen windows. As EnvelopeSpectrum: the inverse transform is split into `phases` ones of
// the size that the band needs; taken of the conjugate by a forward transform, which has the same magnitudes. The
// envelope is real, so its transform is that of half the size.
#pragma once

#include <optional>
#include <vector>

#include "signal/feature_spec.h"
#include "signal/row_fft.h"

namespace millwright::signal {

class RowEnvelope {
 public:
  // None where the band has too few bins for a transform of sixteen.
  static std::optional<RowEnvelope> create(const EnvelopeFeatures& spec, size_t length, double rate_hz);

  // `x` has the length's Rows; `out` takes spec.groups Rows.
  void compute(const Row* x, Row* out);

 private:
  RowEnvelope(const EnvelopeFeatures& spec, size_t length, double rate_hz, size_t part);
  void fill_envelope();
  void average_groups(Row* out);

  size_t length_;
  size_t bins_;
  size_t groups_;
  size_t first_bin_;
  size_t kept_;
  size_t phases_;
  RowFft whole_;
  RowFft part_;
  std::vector<Buffer<Complex>> shifts_;  // per phase r from 1: exp(-2 pi i r k / n)
  RowBuffer bins_of_window_;             // first the window's transform, then the envelope and its transform
  RowBuffer band_;
  RowBuffer phase_;
};

}  // namespace millwright::signal
