// SPDX-License-Identifier: Apache-2.0
#include "signal/hann.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millwright::signal {

Buffer<float> hann(size_t n) {
  Buffer<float> taper(n);
  for (size_t i = 0; i < n; ++i) {
    const double turn = n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0.5;
    taper[i] = static_cast<float>(0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * turn));
  }
  return taper;
}

Buffer<float> boxcar(size_t n) {
  Buffer<float> taper(n);
  std::fill_n(taper.data(), n, 1.0F);
  return taper;
}

}  // namespace millwright::signal
