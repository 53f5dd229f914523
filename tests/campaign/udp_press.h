// SPDX-License-Identifier: Apache-2.0
// A converter with a PLC's cycle bit, on loopback: one packet is one stroke.
#pragma once

#include <netinet/in.h>

#include <cstdint>

#include "base/descriptor.h"

namespace millwright::campaign {

// What the sensor of the stroke is like. An agent without a model decides nothing, but tells the fleet when a sensor
// fails, and when it fails in another way.
enum class Sensor : uint8_t { kGood, kFlat, kNotFinite };

class UdpPress {
 public:
  static constexpr uint16_t kFrames = 16;  // of a window

  explicit UdpPress(uint16_t port);
  // Nobody may listen at the moment; the strokes go on all the same.
  void stroke(Sensor sensor = Sensor::kGood);
  [[nodiscard]] uint64_t cycles() const { return cycle_; }

 private:
  Descriptor socket_;
  sockaddr_in to_{};
  uint64_t cycle_ = 0;
};

}  // namespace millwright::campaign
