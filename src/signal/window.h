// SPDX-License-Identifier: Apache-2.0
// A window is what one stroke looks like: the same number of samples of every channel, taken at the same instants.
#pragma once

#include <cstddef>
#include <span>

namespace millwright::signal {

// A view; it owns nothing and must not outlive the samples.
struct Window {
  std::span<const float> samples;  // planar: channel c is samples[c * length, (c + 1) * length)
  size_t channels = 1;
  size_t length = 0;     // samples per channel
  double rate_hz = 0.0;  // 0 where the axis is not time (a torque-angle curve)

  [[nodiscard]] std::span<const float> channel(size_t c) const { return samples.subspan(c * length, length); }
};

}  // namespace millwright::signal
