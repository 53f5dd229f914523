// SPDX-License-Identifier: Apache-2.0
// What an accelerometer on a press might see, made up: an impact, damped modes between 200 and 400 Hz, load changes,
// a die that wears out, a sensor that comes loose. A simulation to try things on, never evidence of how well they work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millwright::edge {

struct PressOptions {
  double rate_hz = 10'000.0;
  size_t channels = 1;
  size_t length = 2'000;           // samples per channel of one stroke
  uint64_t wear_from_stroke = 0;   // wear begins after this stroke ...
  uint64_t failure_stroke = 0;     // ... and the die breaks at this one; 0: it does not wear
  uint64_t loose_from_stroke = 0;  // the sensor comes loose; 0: it does not
  size_t loose_channel = 0;
  uint64_t load_every = 50;  // strokes between changes of the load (another coil, another lubrication)
  double noise = 0.02;       // standard deviation, against modes of about 1
  uint64_t seed = 1;
  bool operator==(const PressOptions&) const = default;
};

// The same options and stroke give the same samples, whatever was asked before.
class PressSignal {
 public:
  explicit PressSignal(const PressOptions& options) : options_(options) {}

  // 0: new; 1: worn out, the stroke before it breaks; 3: broken.
  [[nodiscard]] double wear(uint64_t stroke) const;
  // One stroke with `margin` quiet samples on both sides: planar, channels x (length + 2 * margin).
  void stroke(uint64_t stroke, size_t margin, std::span<float> planar) const;
  // What lies between the strokes: planar, channels x frames.
  void quiet(uint64_t stroke, uint64_t part, size_t frames, std::span<float> planar) const;

 private:
  struct Shape;
  [[nodiscard]] Shape shape_of(uint64_t stroke) const;
  [[nodiscard]] bool loose(uint64_t stroke, size_t channel) const;

  PressOptions options_;
};

}  // namespace millwright::edge
