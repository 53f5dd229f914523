// SPDX-License-Identifier: Apache-2.0
// The spectrum of a band's envelope: where bearings and gears show their fault frequencies.
//
// The envelope is |a(t)|, a being the analytic signal of the band. Only `kept` bins of a's spectrum are not zero, and a
// shift in frequency leaves |a| as it is; so the inverse transform of size n is split into n / m interleaved ones of
// size m >= kept: sample p j + r (p = n / m) is sample j of the inverse transform of the kept bins k times
// exp(2 pi i r k / n). The forward transform of the envelope is put together from the same p interleaved parts, two of
// them in one complex transform, and only at the bins that are asked for.
#pragma once

#include <span>
#include <vector>

#include "signal/feature_spec.h"
#include "signal/fft.h"
#include "signal/pair_transform.h"

namespace millwright::signal {

// The bins with low <= frequency <= high; the bin at half the rate counts as negative.
struct BandBins {
  size_t first = 0;
  size_t count = 0;
};
BandBins bins_of_band(const EnvelopeFeatures& spec, double rate_hz);

// Bins of group i where `bins` are shared among `groups`: the first ones get one more.
inline size_t bins_of_group(size_t i, size_t bins, size_t groups) {
  return bins / groups + (i < bins % groups ? 1 : 0);
}

class EnvelopeSpectrum {
 public:
  static Result<EnvelopeSpectrum> create(const EnvelopeFeatures& spec, size_t length, double rate_hz);

  // Takes the band from the signal B of `transform`, whose gain was `gain`. Writes spec.groups floats.
  void compute(const PairTransform& transform, float gain, std::span<float> out);

 private:
  EnvelopeSpectrum(const EnvelopeFeatures& spec, size_t length, double rate_hz, Fft inverse, Fft forward);
  void make_tables();
  void fill_phase(size_t phase, Buffer<float>& envelope);
  void add_spectrum(size_t pair);

  size_t size_;  // n
  size_t length_;
  size_t bins_;
  size_t groups_;
  size_t first_bin_ = 0;
  size_t kept_ = 0;
  size_t part_;    // m
  size_t phases_;  // p
  Fft inverse_;
  Fft forward_;
  std::vector<Buffer<Complex>> shifts_;  // per phase, exp(2 pi i r k / n)
  std::vector<Buffer<Complex>> alphas_;  // per pair of phases and bin, see add_spectrum()
  std::vector<Buffer<Complex>> betas_;
  std::vector<Buffer<float>> envelope_;  // per phase, `part_` samples
  Buffer<Complex> band_;
  Buffer<Complex> in_;
  Buffer<Complex> out_;
  Buffer<Complex> spectrum_;  // bins 1 .. bins_
  Buffer<float> magnitude_;
};

}  // namespace millwright::signal
