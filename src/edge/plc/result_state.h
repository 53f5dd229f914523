// SPDX-License-Identifier: Apache-2.0
// What the stroke thread leaves for the PLC: the newest verdict, and how it stands to the newest trigger. Plain memory,
// pure functions.
#pragma once

#include <cstdint>

#include "edge/output.h"
#include "edge/plc/registers.h"

namespace millwright::edge::plc {

inline constexpr uint32_t kLateForFault = 3;  // results in a row

struct ResultState {
  OutputState result;
  uint64_t beats = 0;
  uint64_t opened_stroke = 0;  // the newest one that was triggered
  uint32_t sequence = 0;
  uint32_t late = 0;         // results in a row that came late
  uint32_t late_before = 0;  // the same, before the present stroke: its verdict may be taken back
  bool decided = false;      // GO or NO_GO in this life
  bool decided_before = false;
  bool current = false;  // the verdict came after the newest trigger

  void open(uint64_t stroke_id);
  void drive(const OutputState& state);
};

// The registers' content, given what the PLC last said: a result that it acknowledged, or that is of another part than
// the one it says stands before it, is not valid.
Block block_of(const ResultState& state, const Control& control, FailSafe on_death);

}  // namespace millwright::edge::plc
