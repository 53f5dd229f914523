// SPDX-License-Identifier: Apache-2.0
// Sixteen windows side by side, one per vector lane: a Row is one number of each of them. What is a loop over samples
// with shuffles for one window is the same loop without any for sixteen. On processors with narrower vectors the
// compiler splits a Row. Rows are handed over by address, since a vector argument would tie callers to one instruction
// set.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "signal/fft.h"

namespace millwright::signal {

inline constexpr size_t kRowLanes = 16;
using Row = float __attribute__((vector_size(64), may_alias));
using RowBits = int32_t __attribute__((vector_size(64), may_alias));
using WideRow = double __attribute__((vector_size(128), may_alias));

// Sums of this many Rows stay in float; the rest is added in double.
inline constexpr size_t kRowBlock = 64;

// Per lane, in double: what is left of a loop over Rows.
struct alignas(64) RowSum {
  double lane[kRowLanes] = {};
};

// Memory for Rows, which a Buffer of them could not name: an attribute is lost in a template's argument.
class RowBuffer {
 public:
  RowBuffer() = default;
  explicit RowBuffer(size_t rows) : floats_(rows * kRowLanes) {}
  [[nodiscard]] Row* data() { return reinterpret_cast<Row*>(floats_.data()); }
  [[nodiscard]] const Row* data() const { return reinterpret_cast<const Row*>(floats_.data()); }

 private:
  Buffer<float> floats_;
};

}  // namespace millwright::signal

// Functions on Rows exist only inside their callers, with the callers' instruction set.
#define MW_ROW_INLINE inline __attribute__((always_inline))

namespace millwright::signal {

MW_ROW_INLINE void add_wide(const Row& row, RowSum& sum) {
  auto* wide = reinterpret_cast<WideRow*>(sum.lane);
  *wide += __builtin_convertvector(row, WideRow);
}

// factor * row, all in double.
MW_ROW_INLINE void add_wide(const Row& row, double factor, RowSum& sum) {
  auto* wide = reinterpret_cast<WideRow*>(sum.lane);
  *wide += factor * __builtin_convertvector(row, WideRow);
}

MW_ROW_INLINE void take_root(Row& row) {
  for (size_t l = 0; l < kRowLanes; ++l) row[l] = std::sqrt(row[l]);
}

MW_ROW_INLINE void take_magnitude(Row& row) {
  row = reinterpret_cast<const Row&>(static_cast<const RowBits&>(reinterpret_cast<RowBits&>(row) & 0x7FFFFFFF));
}

}  // namespace millwright::signal
