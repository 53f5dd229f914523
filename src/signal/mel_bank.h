// SPDX-License-Identifier: Apache-2.0
// Triangular filters on the mel scale, m = 2595 log10(1 + f / 700), whose corners are rounded down to bins.
#pragma once

#include <cstddef>
#include <vector>

namespace millwright::signal {

// The corners of `bands` filters in bins of a transform of size `frame`: bands + 2 numbers that do not fall. Filter i
// rises from corner i to corner i + 1 and falls to corner i + 2.
std::vector<size_t> mel_corners(size_t bands, size_t frame, double rate_hz, double high_hz);

// Where the filters peak, before rounding.
std::vector<double> mel_centres_hz(size_t bands, double high_hz);

// A band without a bin would be the constant log(1e-10): has this bank one?
bool mel_bank_has_empty_band(size_t bands, size_t frame, double rate_hz, double high_hz);

// Weight of bin k in filter i.
float mel_weight(const std::vector<size_t>& corners, size_t i, size_t k);

}  // namespace millwright::signal
