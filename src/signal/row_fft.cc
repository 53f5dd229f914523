// SPDX-License-Identifier: Apache-2.0
#include "signal/row_fft.h"

#include <bit>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

struct Number {
  Row re;
  Row im;
};

MW_ROW_INLINE void load(const Row* from, Number& to) {
  to.re = from[0];
  to.im = from[1];
}

MW_ROW_INLINE void store(const Number& from, Row* to) {
  to[0] = from.re;
  to[1] = from.im;
}

MW_ROW_INLINE void turn(Number& a, float re, float im) {
  const Row real = a.re * re - a.im * im;
  a.im = a.re * im + a.im * re;
  a.re = real;
}

// a, b = a + b, a - b.
MW_ROW_INLINE void cross(Number& a, Number& b) {
  const Row re = a.re - b.re;
  const Row im = a.im - b.im;
  a.re += b.re;
  a.im += b.im;
  b.re = re;
  b.im = im;
}

// a, b = a - i b, a + i b.
MW_ROW_INLINE void cross_turned(Number& a, Number& b) {
  const Row re = a.re - b.im;
  const Row im = a.im + b.re;
  a.re += b.im;
  a.im -= b.re;
  b.re = re;
  b.im = im;
}

// The transform of four numbers: bins 0, 2, 1, 3.
MW_ROW_INLINE void four(Number& a, Number& b, Number& c, Number& d) {
  cross(a, c);
  cross(b, d);
  cross(a, b);         // bins 0 and 2
  cross_turned(c, d);  // bins 1 and 3
}

// One step: four blocks of size / 4, block m holding the input of bins 4 k + m.
MW_VECTORISED void pass_of_four(const Row* in, Row* out, size_t size, const float* turns) {
  const size_t block = size / 2;  // in Rows
  for (size_t j = 0; j < block; j += 2, turns += 6) {
    Number a, b, c, d;
    load(in + j, a);
    load(in + j + block, b);
    load(in + j + 2 * block, c);
    load(in + j + 3 * block, d);
    four(a, b, c, d);
    turn(c, turns[0], turns[1]);
    turn(b, turns[2], turns[3]);
    turn(d, turns[4], turns[5]);
    store(a, out + j);
    store(c, out + j + block);
    store(b, out + j + 2 * block);
    store(d, out + j + 3 * block);
  }
}

// Whole transforms of four numbers, one behind the other.
MW_VECTORISED void fours(Row* z, size_t count) {
  for (; count > 0; --count, z += 8) {
    Number a, b, c, d;
    load(z, a);
    load(z + 2, b);
    load(z + 4, c);
    load(z + 6, d);
    four(a, b, c, d);
    store(a, z);
    store(c, z + 2);
    store(b, z + 4);
    store(d, z + 6);
  }
}

MW_VECTORISED void eights(Row* z, size_t count) {
  constexpr float kRoot = std::numbers::sqrt2_v<float> / 2.0F;
  for (; count > 0; --count, z += 16) {
    Number a, b, c, d, e, f, g, h;
    load(z, a);
    load(z + 8, e);
    cross(a, e);
    load(z + 4, c);
    load(z + 12, g);
    cross(c, g);
    load(z + 2, b);
    load(z + 10, f);
    cross(b, f);
    load(z + 6, d);
    load(z + 14, h);
    cross(d, h);
    cross(a, c);
    cross(b, d);
    cross(a, b);
    cross_turned(c, d);
    store(a, z);
    store(c, z + 4);
    store(b, z + 8);
    store(d, z + 12);
    // Odd bins: e, f, g, h stand for j = 0 .. 3, to be turned by exp(-2 pi i j / 8).
    cross_turned(e, g);  // e - i g for bins 1, 5; e + i g for bins 3, 7
    cross_turned(f, h);
    turn(f, kRoot, -kRoot);
    turn(h, -kRoot, -kRoot);
    cross(e, f);
    cross(g, h);
    store(e, z + 2);
    store(g, z + 6);
    store(f, z + 10);
    store(h, z + 14);
  }
}

// Even and odd part, E and w O, of bin k: see the header.
MW_ROW_INLINE void parts_of_bin(const Row* at, const Row* mirror, float re, float im, Number& even, Number& odd) {
  even.re = at[0] + mirror[0];
  even.im = at[1] - mirror[1];
  odd.re = at[1] + mirror[1];
  odd.im = mirror[0] - at[0];
  turn(odd, re, im);
}

MW_VECTORISED void powers_of_real(const Row* z, const uint32_t* order, const float* turns, size_t n, Row* out) {
  const Row first = z[0] + z[1];
  const Row last = z[0] - z[1];
  out[0] = first * first;
  out[n] = last * last;
  for (size_t k = 1; k <= n / 2; ++k) {
    Number even, odd;
    parts_of_bin(z + 2 * size_t{order[k]}, z + 2 * size_t{order[n - k]}, turns[2 * k], turns[2 * k + 1], even, odd);
    cross(even, odd);
    out[k] = 0.25F * (even.re * even.re + even.im * even.im);
    out[n - k] = 0.25F * (odd.re * odd.re + odd.im * odd.im);
  }
}

MW_VECTORISED void conjugate_bins_of_real(const Row* z, const uint32_t* order, const float* turns, size_t n,
                                          size_t first, size_t count, float scale, Row* out) {
  const float half = 0.5F * scale;
  for (size_t k = first; k < first + count; ++k, out += 2) {
    Number even, odd;
    parts_of_bin(z + 2 * size_t{order[k]}, z + 2 * size_t{order[(n - k) % n]}, turns[2 * k], turns[2 * k + 1], even,
                 odd);
    out[0] = half * (even.re + odd.re);
    out[1] = -half * (even.im + odd.im);
  }
}

void push_turn(std::vector<float>& to, size_t numerator, size_t denominator) {
  const double angle = -2.0 * std::numbers::pi * static_cast<double>(numerator) / static_cast<double>(denominator);
  to.push_back(static_cast<float>(std::cos(angle)));
  to.push_back(static_cast<float>(std::sin(angle)));
}

// Where bin k of a transform of `size` ends.
size_t place(size_t k, size_t size) { return size <= 8 ? k : k % 4 * (size / 4) + place(k / 4, size / 4); }

}  // namespace

RowFft::RowFft(size_t size) : size_(size) {
  MW_CHECK(size >= kMinSize && std::has_single_bit(size), "a power of two");
  for (size_t n = size; n > 8; n /= 4) {
    Pass pass{.size = n, .turns = {}};
    for (size_t j = 0; j < n / 4; ++j) {
      for (size_t m = 1; m < 4; ++m) push_turn(pass.turns, j * m, n);
    }
    passes_.push_back(std::move(pass));
  }
  for (size_t k = 0; k < size; ++k) {
    order_.push_back(static_cast<uint32_t>(place(k, size)));
    push_turn(real_turns_, k, 2 * size);
  }
}

// Sixteen numbers and fewer are not worth a call each: the last steps run over a whole part.
void RowFft::run_from(size_t depth, Row* z) const {
  const size_t n = size_ >> (2 * depth);
  if (depth == passes_.size()) {
    n == 8 ? eights(z, 1) : fours(z, 1);
    return;
  }
  const Pass& pass = passes_[depth];
  pass_of_four(z, z, n, pass.turns.data());
  if (depth + 1 == passes_.size()) {
    n / 4 == 8 ? eights(z, 4) : fours(z, 4);
    return;
  }
  for (size_t m = 0; m < 4; ++m) run_from(depth + 1, z + m * (n / 2));
}

void RowFft::run(Row* z) const { run_from(0, z); }

void RowFft::run(const Row* in, Row* z) const {
  MW_CHECK(!passes_.empty(), "transforms this small run in place");
  pass_of_four(in, z, size_, passes_[0].turns.data());
  for (size_t m = 0; m < 4; ++m) run_from(1, z + m * (size_ / 2));
}

void RowFft::powers(const Row* z, Row* out) const { powers_of_real(z, order_.data(), real_turns_.data(), size_, out); }

void RowFft::conjugate_bins(const Row* z, size_t first, size_t count, float scale, Row* out) const {
  MW_CHECK(first + count <= size_, "bins below half the rate");
  conjugate_bins_of_real(z, order_.data(), real_turns_.data(), size_, first, count, scale, out);
}

}  // namespace millwright::signal
