// SPDX-License-Identifier: Apache-2.0
// The spectra of two real signals by one complex transform: a in the real part, b in the imaginary part.
#pragma once

#include <cstddef>
#include <span>

#include "signal/fft.h"

namespace millwright::signal {

// Two real signals of the same length, each with its taper.
struct RealPair {
  const float* a;
  const float* taper_a;
  const float* b;
  const float* taper_b;
  size_t length;
};

// By what the signals were multiplied before the transform: powers of two that bring both to one magnitude, since
// rounding errors of the louder one would drown the quieter one. 0 for a signal that is zero throughout.
struct PairGain {
  float a = 1.0F;
  float b = 1.0F;
};

class PairTransform {
 public:
  // `size` is a power of two; longer signals are a bug, shorter ones are padded with zeros.
  static Result<PairTransform> create(size_t size);

  PairGain run(const RealPair& pair);

  // Power |A|^2 and |B|^2 of bins 0 .. size / 2, of the signals as multiplied by their gains.
  void powers_a(std::span<float> out) const;
  void powers(std::span<float> a, std::span<float> b) const;
  // Bins [first, first + out.size()) of B, times factor; first > 0 and the last lies below size / 2.
  void bins_b(size_t first, float factor, std::span<Complex> out) const;

  [[nodiscard]] size_t size() const { return fft_.size(); }

 private:
  explicit PairTransform(Fft fft);
  Fft fft_;
  Buffer<Complex> time_;
  Buffer<Complex> bins_;  // one more than size(): the last is bin 0 again, so that bin `size - k` always stands there
};

}  // namespace millwright::signal
