// SPDX-License-Identifier: Apache-2.0
#include "signal/row_kernels.h"

#include <cstring>

#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

// The numbers of both, in turn: the first half of them and the second.
MW_ROW_INLINE void interleave(const Row& a, const Row& b, Row& low, Row& high) {
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// Interleaving row i with row i + 8 moves one bit of the row's index into the lane's; four times transpose the square.
MW_VECTORISED void transpose_squares(const float* const* windows, size_t squares, Row* out) {
  for (size_t s = 0; s < squares; ++s, out += kRowLanes) {
    Row a[kRowLanes];
    Row b[kRowLanes];
    for (size_t l = 0; l < kRowLanes; ++l) std::memcpy(&a[l], windows[l] + s * kRowLanes, sizeof(Row));
    for (size_t i = 0; i < kRowLanes / 2; ++i) interleave(a[i], a[i + 8], b[2 * i], b[2 * i + 1]);
    for (size_t i = 0; i < kRowLanes / 2; ++i) interleave(b[i], b[i + 8], a[2 * i], a[2 * i + 1]);
    for (size_t i = 0; i < kRowLanes / 2; ++i) interleave(a[i], a[i + 8], b[2 * i], b[2 * i + 1]);
    for (size_t i = 0; i < kRowLanes / 2; ++i) interleave(b[i], b[i + 8], out[2 * i], out[2 * i + 1]);
  }
}

MW_VECTORISED void taper(const Row* x, const float* weights, size_t count, Row* out) {
  for (size_t i = 0; i < count; ++i) out[i] = weights[i] * x[i];
}

MW_VECTORISED void subtract(const Row* value, size_t count, Row* x) {
  const Row taken = *value;
  for (size_t i = 0; i < count; ++i) x[i] -= taken;
}

}  // namespace

void rows_of_windows(const float* const* windows, size_t length, Row* out) {
  const size_t squares = length / kRowLanes;
  transpose_squares(windows, squares, out);
  for (size_t i = squares * kRowLanes; i < length; ++i) {
    for (size_t l = 0; l < kRowLanes; ++l) out[i][l] = windows[l][i];
  }
}

void taper_rows(const Row* x, const float* weights, size_t count, Row* out) { taper(x, weights, count, out); }
void subtract_rows(const Row& value, size_t count, Row* x) { subtract(&value, count, x); }
void clear_rows(Row* x, size_t count) { std::memset(x, 0, count * sizeof(Row)); }
void copy_rows(const Row* from, size_t count, Row* to) { std::memcpy(to, from, count * sizeof(Row)); }

}  // namespace millwright::signal
