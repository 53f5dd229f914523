// SPDX-License-Identifier: Apache-2.0
#include "signal/mel_bank.h"

#include <algorithm>
#include <cmath>

namespace millwright::signal {
namespace {

double mel_of(double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); }
double hz_of(double mel) { return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0); }

// Corner i of bands + 2, evenly spaced in mel from 0 to high_hz.
double corner_hz(size_t i, size_t bands, double high_hz) {
  return hz_of(mel_of(high_hz) * static_cast<double>(i) / static_cast<double>(bands + 1));
}

}  // namespace

std::vector<size_t> mel_corners(size_t bands, size_t frame, double rate_hz, double high_hz) {
  std::vector<size_t> corners(bands + 2);
  for (size_t i = 0; i < corners.size(); ++i) {
    const double bin = std::floor(static_cast<double>(frame + 1) * corner_hz(i, bands, high_hz) / rate_hz);
    corners[i] = std::min(static_cast<size_t>(bin), frame / 2);
  }
  return corners;
}

std::vector<double> mel_centres_hz(size_t bands, double high_hz) {
  std::vector<double> centres(bands);
  for (size_t i = 0; i < bands; ++i) centres[i] = corner_hz(i + 1, bands, high_hz);
  return centres;
}

bool mel_bank_has_empty_band(size_t bands, size_t frame, double rate_hz, double high_hz) {
  const std::vector<size_t> corners = mel_corners(bands, frame, rate_hz, high_hz);
  for (size_t i = 0; i < bands; ++i) {
    bool any = false;
    for (size_t k = corners[i]; k <= corners[i + 2]; ++k) any = any || mel_weight(corners, i, k) > 0.0F;
    if (!any) return true;
  }
  return false;
}

float mel_weight(const std::vector<size_t>& corners, size_t i, size_t k) {
  const size_t low = corners[i];
  const size_t peak = corners[i + 1];
  const size_t high = corners[i + 2];
  if (k >= low && k < peak) return static_cast<float>(static_cast<double>(k - low) / static_cast<double>(peak - low));
  if (k >= peak && k < high) {
    return static_cast<float>(static_cast<double>(high - k) / static_cast<double>(high - peak));
  }
  return 0.0F;
}

}  // namespace millwright::signal
