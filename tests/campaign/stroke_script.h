// SPDX-License-Identifier: Apache-2.0
// What goes wrong at which stroke: known to the machine that makes the strokes and to the one who checks the records,
// from seed and cycle alone.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace millwright::campaign {

enum class Fault : uint8_t {
  kNone,
  kAnomaly,     // the process: NO_GO
  kNan,         // the sensor: not a number
  kFlat,        // the sensor: a flat line
  kTorn,        // samples lost in the middle
  kModelNan,    // the model's score is not a number
  kModelFails,  // the model fails
  kSlowModel,   // the model takes longer than the deadline
  kLateWindow,  // the rest of the window comes after the deadline
};

inline Fault fault_of(uint64_t seed, uint64_t cycle) {
  constexpr uint64_t kOf = 1000;
  const uint64_t draw = Random(seed * 0x9E3779B97F4A7C15ULL + cycle).below(kOf);
  if (draw < 15) return Fault::kNan;
  if (draw < 30) return Fault::kFlat;
  if (draw < 45) return Fault::kTorn;
  if (draw < 55) return Fault::kModelNan;
  if (draw < 65) return Fault::kModelFails;
  if (draw < 80) return Fault::kSlowModel;
  if (draw < 90) return Fault::kLateWindow;
  if (draw < 290) return Fault::kAnomaly;
  return Fault::kNone;
}

}  // namespace millwright::campaign
