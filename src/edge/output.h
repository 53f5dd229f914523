// SPDX-License-Identifier: Apache-2.0
// What the press is told. The policy says what a missing verdict means; an output only carries it.
// Not a safety function (ISO 13849, IEC 61508): it protects dies and parts, never people.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "model/verdict.h"
#include "signal/health.h"

namespace millwright::edge {

enum class FailSafe : uint8_t {
  kHold,  // as it was after the last verdict
  kStop,
  kPass,  // run on
};

std::string_view name(FailSafe policy);

struct OutputPolicy {
  FailSafe on_start = FailSafe::kStop;  // until the first verdict
  FailSafe on_no_verdict = FailSafe::kHold;
  FailSafe on_death = FailSafe::kStop;  // what the far side does when the heartbeat ends; told to it at the start
  bool stop_on_alarm = true;            // true: only a standing alarm stops; false: every NO_GO does
  bool operator==(const OutputPolicy&) const = default;
};

struct OutputState {
  uint64_t stroke_id = 0;
  uint64_t plc_cycle = 0;  // which of its strokes this answers; 0: it does not count
  model::Verdict verdict = model::Verdict::kNoVerdict;
  bool stop = true;
  bool alarm = false;
  model::Reason reason = model::Reason::kNone;
  model::Severity severity = model::Severity::kLow;  // where there is a score
  signal::SensorFault sensor_fault = signal::SensorFault::kNone;
  double score = std::numeric_limits<double>::quiet_NaN();  // 0 .. 1; NaN: none
};

// How an output stands to its far side.
struct OutputLink {
  bool up = false;
  uint64_t connects = 0;
  uint64_t transactions = 0;
  uint64_t refused = 0;
  std::string last_error = {};                                        // why it last failed; empty: not told
  uint64_t late_results = 0;                                          // in a row, now
  double heard_age_s = std::numeric_limits<double>::quiet_NaN();      // since it asked, or took what was written
  double heartbeat_age_s = std::numeric_limits<double>::quiet_NaN();  // since its own heartbeat moved; NaN: it has none
};

class Output {
 public:
  virtual ~Output() = default;
  // The stroke thread, as soon as a trigger has its id: drive() with the same id follows, in the order of the triggers.
  virtual void opened(uint64_t /*stroke_id*/) noexcept {}
  // The stroke thread: neither blocks, allocates nor fails. Twice with one id where a verdict is taken back.
  virtual void drive(const OutputState& state) noexcept = 0;
  // The stroke thread, between strokes: the alarm was acknowledged, shelved or came back. The verdict stays what it
  // was.
  virtual void stands(bool /*stop*/, bool /*alarm*/) noexcept {}
  // The stroke thread, at least every 100 ms while it lives: it is the proof that strokes are being watched.
  virtual void heartbeat(uint64_t beat) noexcept = 0;
  // The stroke thread: whether the far side has acknowledged the alarm since this was last asked.
  virtual bool take_alarm_ack() noexcept { return false; }
  // Any thread; nullopt where nobody has to be there.
  [[nodiscard]] virtual std::optional<OutputLink> link() const { return std::nullopt; }
};

class NoOutput final : public Output {
 public:
  void drive(const OutputState&) noexcept override {}
  void heartbeat(uint64_t) noexcept override {}
};

// The stop bit after a stroke.
bool decide_stop(const OutputPolicy& policy, model::Verdict verdict, bool alarm_active, bool stopped_before);

}  // namespace millwright::edge
