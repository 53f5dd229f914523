// SPDX-License-Identifier: Apache-2.0
// Is the sensor telling the truth? A fault here is a maintenance call, never scrap: the window is not judged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "signal/window.h"

namespace millwright::signal {

enum class SensorFault : uint8_t {
  kNone,
  kNotFinite,  // NaN or Inf
  kFlatLine,   // all samples equal, or a variance far below the learned noise floor
  kSaturated,  // too many samples at the rails
  kStuck,      // a run of equal samples inside a live signal
  kDropout,    // runs of exact zeros inside a live signal
  kGap,        // samples missing (sequence numbers, torn window): found by who counts them
  kWrongRate,  // timestamps do not match the declared rate: found by RateCheck
  kUnplugged,  // the broadband noise floor is gone and no stroke is seen: only hum or quantisation is left
  kLoose,      // the mount: high-frequency content gone, both in itself and as a share of the energy
};

// NAMUR NE 107 status signals.
enum class Ne107 : uint8_t { kGood, kFailure, kFunctionCheck, kOutOfSpecification, kMaintenanceRequired };

std::string_view name(SensorFault fault);  // "flat_line"
std::string_view name(Ne107 status);       // "failure"
Ne107 ne107(SensorFault fault);

// Per channel, learned from normal windows by learn_health() and carried in the bundle. A channel whose normal windows
// hold runs of equal samples (a coarse or slow signal) learns no noise floor, and is then checked for what needs none.
struct HealthReference {
  float rail = 0.0F;             // full scale; 0 where unknown
  float noise_floor = 0.0F;      // robust RMS of the third difference in quiet parts; 0 where not learned
  float high_band_ratio = 0.0F;  // robust share of energy above 0.25 * rate; 0 where not learned
  float rms_low = 0.0F;          // plausible range of the RMS about the mean, generous
  float rms_high = 0.0F;
  friend bool operator==(const HealthReference&, const HealthReference&) = default;
};

struct HealthFinding {
  SensorFault fault = SensorFault::kNone;
  size_t channel = 0;
};

// The first fault found, channels in order, faults in the order of the enum. `references` is empty (then only
// kNotFinite and kFlatLine are looked for) or has one entry per channel. Neither allocates nor fails.
HealthFinding check_health(const Window& window, std::span<const HealthReference> references);

// Learns one channel's reference from normal windows: `samples` is windows x length, row after row. A few faulty
// windows among them do no harm; without a whole window nothing is learned.
HealthReference learn_health(std::span<const float> samples, size_t length, double rate_hz);

}  // namespace millwright::signal
