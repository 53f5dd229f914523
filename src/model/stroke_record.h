// SPDX-License-Identifier: Apache-2.0
// The record of one stroke: every trigger yields exactly one. Plain memory, so that the stroke path can write it
// without allocating; FORMAT.md describes its JSON line.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "model/scoring.h"
#include "model/verdict.h"
#include "signal/health.h"

namespace millwright::model {

// A trend is apart from the single stroke: wear rising over hours, with the strokes left until the limit.
struct Trend {
  bool rising = false;
  uint32_t strokes_left = 0;  // valid where rising
};

struct StrokeRecord {
  uint64_t stroke_id = 0;       // from 1, monotonic over restarts
  uint64_t plc_cycle = 0;       // the PLC's counter; 0 where there is none
  int64_t trigger_wall_ns = 0;  // 1970-01-01 UTC; a label, see clock.h
  int64_t trigger_monotonic_ns = 0;
  int64_t latency_ns = 0;  // trigger to verdict
  Verdict verdict = Verdict::kNoVerdict;
  Reason reason = Reason::kNone;
  Severity severity = Severity::kLow;
  signal::SensorFault sensor_fault = signal::SensorFault::kNone;
  uint8_t sensor_channel = 0;
  uint8_t provider = 0;       // index into kProviders
  bool is_alert = false;      // this stroke's score is at or above the threshold
  bool alarm_active = false;  // after debounce, hysteresis and latching
  bool output_stop = false;   // what the output was set to
  double score = 0.0;         // anomaly score, 0 .. 1; NaN where there is none
  double raw_score = 0.0;
  double threshold = 0.0;  // raw
  Top top;
  Trend trend;
  Digest model;  // digest of the bundle that made this verdict; zeros where none did
};
static_assert(std::is_trivially_copyable_v<StrokeRecord>);

inline constexpr std::array<std::string_view, 5> kProviders = {
    "none", "CPUExecutionProvider", "OpenVINOExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"};

// What the record's indices and the line's labels mean: one per asset and loaded bundle.
struct RecordContext {
  std::string factory_id;
  std::string line_id;
  std::string asset_id;
  std::string device_id;
  std::string boot_id;
  std::vector<std::string> feature_names;
  std::vector<std::string> channel_names;
};

// One line of JSON without the newline; numbers independent of the locale, the score with 4 decimals.
std::string to_json_line(const StrokeRecord& record, const RecordContext& context);

// Reads the members that identify and decide (stroke_id, plc_cycle, verdict, reason, severity, score, latency, model).
// For reconciliation, reports and tests.
Result<StrokeRecord> parse_json_line(std::string_view line);

// The same from a value that was parsed already (by parse_json, which refuses keys that stand twice).
Result<StrokeRecord> record_from_json(const nlohmann::json& value);

}  // namespace millwright::model
