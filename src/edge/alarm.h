// SPDX-License-Identifier: Apache-2.0
// From single strokes to an alarm that an operator can live with, in the terms of ISA-18.2: N-of-M debounce,
// hysteresis, latching, acknowledge, shelve, and a limit on how often it may call. A pure state machine: no clock, no
// thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace millwright::edge {

struct AlarmOptions {
  uint32_t raise_n = 3;        // alerts among ...
  uint32_t raise_m = 5;        // ... the last strokes with a verdict; 1 .. 64
  double clear_score = 0.45;   // hysteresis: below this score (the threshold is at 0.5) ...
  uint32_t clear_strokes = 5;  // ... that many times in a row
  bool latch = false;          // stays until acknowledged, even when the condition is gone
  uint32_t max_calls_per_hour = 12;
  bool operator==(const AlarmOptions&) const = default;
};

enum class AlarmState : uint8_t {
  kNormal,
  kUnacknowledged,        // the condition stands, nobody has confirmed it
  kAcknowledged,          // the condition stands, confirmed
  kReturnUnacknowledged,  // the condition is gone, latched until confirmed
  kShelved,               // silenced by the operator for a time
};
enum class AlarmEvent : uint8_t { kRaise, kClear, kAcknowledge, kShelve, kUnshelve };

std::string_view name(AlarmState state);
// Whether lamp, record and output show it.
constexpr bool stands(AlarmState state) { return state != AlarmState::kNormal && state != AlarmState::kShelved; }

// The transition table; an event that means nothing in a state leaves it as it is.
AlarmState next_state(AlarmState state, AlarmEvent event, bool latch);

// All that must outlive the process, as two plain words; zero is the normal state. A time to be shelved is not kept:
// its clock ends with the boot, and an alarm that comes back too early is the safe side.
struct AlarmMemory {
  uint64_t state = 0;   // state, condition << 8, unconfirmed << 9, quiet strokes << 32
  uint64_t recent = 0;  // one bit per stroke, the newest lowest
};

class Alarm {
 public:
  explicit Alarm(const AlarmOptions& options);

  // What an earlier life kept; words that no alarm wrote count as a normal state.
  void restore(const AlarmMemory& memory);
  [[nodiscard]] AlarmMemory memory() const;

  // One stroke with a verdict: its score in [0, 1] and whether it is an alert. Strokes without a verdict say nothing
  // about the process and must not be given.
  void stroke(double score, bool is_alert, int64_t monotonic_ns);
  // Time passes without a stroke: a shelved alarm comes back.
  void tick(int64_t monotonic_ns);
  void acknowledge();
  void shelve(int64_t until_monotonic_ns);
  // Nothing where it is not shelved.
  void end_shelf(int64_t monotonic_ns);

  [[nodiscard]] AlarmState state() const { return state_; }
  // What drives lamp, record and output.
  [[nodiscard]] bool active() const;
  // How often the alarm was raised, and how often of these it was not called out because of the limit.
  [[nodiscard]] uint64_t raised() const { return raised_; }
  [[nodiscard]] uint64_t suppressed() const { return suppressed_; }

 private:
  void apply(AlarmEvent event);
  void unshelve();
  void call(int64_t monotonic_ns);

  AlarmOptions options_;
  AlarmState state_ = AlarmState::kNormal;
  bool condition_ = false;    // debounced
  bool unconfirmed_ = false;  // shelved while latched: still to be acknowledged afterwards
  uint64_t recent_ = 0;       // one bit per stroke, the newest lowest
  uint32_t quiet_ = 0;
  int64_t shelved_until_ns_ = 0;
  double tokens_;
  int64_t tokens_ns_ = 0;
  uint64_t raised_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace millwright::edge
