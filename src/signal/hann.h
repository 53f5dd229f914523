// SPDX-License-Identifier: Apache-2.0
// Tapers.
#pragma once

#include "signal/fft.h"

namespace millwright::signal {

// The symmetric Hann window: 0.5 - 0.5 cos(2 pi i / (n - 1)), zero at both ends; n is at least 1.
Buffer<float> hann(size_t n);

// No taper at all.
Buffer<float> boxcar(size_t n);

}  // namespace millwright::signal
