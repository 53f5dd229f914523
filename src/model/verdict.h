// SPDX-License-Identifier: Apache-2.0
// What a decision is. Three truths are kept apart: the process (go or no-go), the sensor, and "no verdict".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millwright::model {

enum class Verdict : uint8_t { kGo, kNoGo, kNoVerdict };

// Why there is no verdict. Written in records by name; the order is part of the ledger's format: append only.
enum class Reason : uint8_t {
  kNone,
  kStarting,     // not warm yet
  kNoModel,      // no bundle is loaded
  kDeadline,     // too late to be of use
  kSensorFault,  // see the record's sensor_fault
  kSamplesLost,  // the stream had a hole inside the window
  kModelError,   // the model failed, or its score was not a finite number
  kOverload,     // triggers came faster than records can be kept
  kRestart,      // the agent was stopped or killed after the trigger
  kMissed,       // the PLC counted strokes that never reached the agent
};

enum class Severity : uint8_t { kLow, kMedium, kHigh, kCritical };

std::string_view name(Verdict verdict);    // "GO", "NO_GO", "NO_VERDICT"
std::string_view name(Reason reason);      // "deadline"
std::string_view name(Severity severity);  // "LOW"

std::optional<Verdict> verdict_from(std::string_view name);
std::optional<Reason> reason_from(std::string_view name);
std::optional<Severity> severity_from(std::string_view name);

}  // namespace millwright::model
