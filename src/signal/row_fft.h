// SPDX-License-Identifier: Apache-2.0
// The Fourier transform of sixteen signals at once, one per lane.
//
// Complex: decimation in frequency, radix 4 (Cooley and Tukey 1965; Gentleman and Sande 1966), the last step radix 8
// where the size's binary logarithm is odd. It works in place and depth first, so that a part that fits into the first
// cache is finished there. Bins are left where they fall, in digit-reversed order, and are looked up: a bin of sixteen
// lanes is two whole cache lines, so that order costs nothing.
//
// Real: 2n samples as n complex ones, z[j] = x[2j] + i x[2j+1]. With E = Z[k] + conj Z[n-k], O = (Z[k] - conj Z[n-k])/i
// and w = exp(-pi i k / n): X[k] = (E + w O) / 2, X[n-k] = conj(E - w O) / 2. Two signals never share a transform, so a
// loud one cannot drown a quiet one by its rounding errors.
#pragma once

#include <cstdint>
#include <vector>

#include "signal/rows.h"

namespace millwright::signal {

class RowFft {
 public:
  static constexpr size_t kMinSize = 4;

  // Tables for complex transforms of `size`, a power of two from kMinSize, and for real ones of 2 * size.
  explicit RowFft(size_t size);

  // Forward, not scaled. `z` has 2 * size() Rows: real and imaginary part of each number in turn. Bin k is afterwards
  // at numbers bin(k).
  void run(Row* z) const;
  // The same from `in` to another place.
  void run(const Row* in, Row* z) const;

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t bin(size_t k) const { return order_[k]; }
  [[nodiscard]] const uint32_t* order() const { return order_.data(); }

  // After run() over 2 * size() real samples: |X|^2 of bins 0 .. size().
  void powers(const Row* z, Row* out) const;
  // scale * conj X of bins [first, first + count), below size(); 2 * count Rows.
  void conjugate_bins(const Row* z, size_t first, size_t count, float scale, Row* out) const;

 private:
  struct Pass {
    size_t size = 0;
    std::vector<float> turns;  // per j in [0, size / 4): exp(-2 pi i j m / size), m = 1, 2, 3, as real, imaginary
  };
  void run_from(size_t depth, Row* z) const;

  size_t size_;
  std::vector<Pass> passes_;
  std::vector<uint32_t> order_;
  std::vector<float> real_turns_;  // exp(-pi i k / size), k in [0, size)
};

}  // namespace millwright::signal
