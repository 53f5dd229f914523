// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/result_state.h"

#include <algorithm>
#include <cmath>

namespace millwright::edge::plc {
namespace {

constexpr double kScoreScale = 10'000.0;

VerdictCode code_of(const OutputState& result) {
  if (result.stroke_id == 0) return VerdictCode::kNone;
  switch (result.verdict) {
    case model::Verdict::kGo: return VerdictCode::kGo;
    case model::Verdict::kNoGo: return VerdictCode::kNoGo;
    case model::Verdict::kNoVerdict: break;
  }
  return VerdictCode::kNoVerdict;
}

}  // namespace

void ResultState::open(uint64_t stroke_id) {
  opened_stroke = stroke_id;
  current = false;
}

void ResultState::drive(const OutputState& state) {
  if (state.stroke_id != result.stroke_id) {
    late_before = late;
    decided_before = decided;
  }
  const bool verdict = state.verdict != model::Verdict::kNoVerdict;
  late = late_before;
  if (verdict) late = 0;
  if (state.reason == model::Reason::kDeadline) late = std::min(late_before + 1, kLateForFault);
  decided = decided_before || verdict;
  // An earlier part's verdict may come after the next trigger, where windows overlap: it is no result of this part.
  current = verdict && state.stroke_id != 0 && state.stroke_id >= opened_stroke;
  result = state;
  ++sequence;
}

Block block_of(const ResultState& state, const Control& control, FailSafe on_death) {
  const OutputState& result = state.result;
  Block block;
  block.heartbeat = static_cast<uint16_t>(state.beats);
  block.sequence = state.sequence;
  block.cycle = static_cast<uint32_t>(result.plc_cycle);
  block.verdict = code_of(result);
  block.reason = static_cast<uint16_t>(result.reason);
  if (std::isfinite(result.score)) {
    block.score = static_cast<uint16_t>(std::lround(std::clamp(result.score, 0.0, 1.0) * kScoreScale));
    block.severity = static_cast<uint16_t>(static_cast<uint16_t>(result.severity) + 1);
  }
  block.sensor_fault = static_cast<uint16_t>(result.sensor_fault);
  block.on_death = static_cast<uint8_t>(on_death);
  block.stroke = static_cast<uint32_t>(result.stroke_id);
  const bool of_other_part = control.cycle != 0 && control.cycle != block.cycle;
  block.status.fault = state.late >= kLateForFault;
  block.status.ready = state.decided && !block.status.fault;
  block.status.busy = state.opened_stroke > result.stroke_id;
  block.status.result_valid = state.current && !of_other_part && !control.result_ack;
  block.status.pass = block.status.result_valid && block.verdict == VerdictCode::kGo;
  block.status.stop = result.stop;
  block.status.alarm = result.alarm;
  block.status.sensor_fault = result.sensor_fault != signal::SensorFault::kNone;
  return block;
}

}  // namespace millwright::edge::plc
