// SPDX-License-Identifier: Apache-2.0
// What the press is told. The policy says what a missing verdict means; an output only carries it.
// Not a safety function (ISO 13849, IEC 61508): it protects dies and parts, never people.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/verdict.h"

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
};

class Output {
 public:
  virtual ~Output() = default;
  // The stroke thread: neither blocks, allocates nor fails.
  virtual void drive(const OutputState& state) noexcept = 0;
  // The stroke thread, at least every 100 ms while it lives: it is the proof that strokes are being watched.
  virtual void heartbeat(uint64_t beat) noexcept = 0;
};

class NoOutput final : public Output {
 public:
  void drive(const OutputState&) noexcept override {}
  void heartbeat(uint64_t) noexcept override {}
};

// The stop bit after a stroke.
bool decide_stop(const OutputPolicy& policy, model::Verdict verdict, bool alarm_active, bool stopped_before);

}  // namespace millwright::edge
