// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/registers.h"

namespace millwright::edge::plc {
namespace {

constexpr unsigned kHalf = 16;
constexpr unsigned kByte = 8;

// Offsets of the agent's block.
constexpr size_t kStatusAt = 0;
constexpr size_t kHeartbeatAt = 1;
constexpr size_t kSequenceAt = 2;
constexpr size_t kCycleAt = 4;
constexpr size_t kVerdictAt = 6;
constexpr size_t kReasonAt = 7;
constexpr size_t kScoreAt = 8;
constexpr size_t kSeverityAt = 9;
constexpr size_t kSensorFaultAt = 10;
constexpr size_t kLayoutAt = 11;
constexpr size_t kStrokeAt = 12;
constexpr size_t kSequenceAgainAt = 14;

constexpr std::array<bool StatusBits::*, 8> kStatusOrder = {
    &StatusBits::ready, &StatusBits::busy,  &StatusBits::result_valid, &StatusBits::pass,
    &StatusBits::stop,  &StatusBits::fault, &StatusBits::alarm,        &StatusBits::sensor_fault};

constexpr uint16_t kResultAck = 1U << 0U;
constexpr uint16_t kAlarmAck = 1U << 1U;

void put32(std::span<uint16_t> registers, size_t at, uint32_t value, WordOrder order) {
  const auto high = static_cast<uint16_t>(value >> kHalf);
  const auto low = static_cast<uint16_t>(value);
  registers[at] = order == WordOrder::kBig ? high : low;
  registers[at + 1] = order == WordOrder::kBig ? low : high;
}

uint32_t get32(std::span<const uint16_t> registers, size_t at, WordOrder order) {
  const uint32_t first = registers[at];
  const uint32_t second = registers[at + 1];
  return order == WordOrder::kBig ? (first << kHalf) | second : (second << kHalf) | first;
}

}  // namespace

BlockRegisters encode_block(const Block& block, WordOrder order) {
  BlockRegisters out{};
  for (size_t bit = 0; bit < kStatusOrder.size(); ++bit) {
    if (block.status.*kStatusOrder[bit]) out[kStatusAt] = static_cast<uint16_t>(out[kStatusAt] | (1U << bit));
  }
  out[kHeartbeatAt] = block.heartbeat;
  put32(out, kSequenceAt, block.sequence, order);
  put32(out, kCycleAt, block.cycle, order);
  out[kVerdictAt] = static_cast<uint16_t>(block.verdict);
  out[kReasonAt] = block.reason;
  out[kScoreAt] = block.score;
  out[kSeverityAt] = block.severity;
  out[kSensorFaultAt] = block.sensor_fault;
  out[kLayoutAt] = static_cast<uint16_t>((block.layout << kByte) | block.on_death);
  put32(out, kStrokeAt, block.stroke, order);
  put32(out, kSequenceAgainAt, block.sequence, order);
  return out;
}

std::optional<Block> decode_block(std::span<const uint16_t, kBlockRegisters> registers, WordOrder order) {
  Block block;
  block.sequence = get32(registers, kSequenceAt, order);
  if (block.sequence != get32(registers, kSequenceAgainAt, order)) return std::nullopt;
  block.layout = static_cast<uint8_t>(registers[kLayoutAt] >> kByte);
  block.on_death = static_cast<uint8_t>(registers[kLayoutAt]);
  if (block.layout != kLayout || registers[kVerdictAt] > static_cast<uint16_t>(VerdictCode::kNoVerdict)) {
    return std::nullopt;
  }
  for (size_t bit = 0; bit < kStatusOrder.size(); ++bit) {
    block.status.*kStatusOrder[bit] = (registers[kStatusAt] >> bit & 1U) != 0;
  }
  block.heartbeat = registers[kHeartbeatAt];
  block.cycle = get32(registers, kCycleAt, order);
  block.verdict = static_cast<VerdictCode>(registers[kVerdictAt]);
  block.reason = registers[kReasonAt];
  block.score = registers[kScoreAt];
  block.severity = registers[kSeverityAt];
  block.sensor_fault = registers[kSensorFaultAt];
  block.stroke = get32(registers, kStrokeAt, order);
  return block;
}

ControlRegisters encode_control(const Control& control, WordOrder order) {
  ControlRegisters out{};
  out[kControlBits] =
      static_cast<uint16_t>((control.result_ack ? kResultAck : 0) | (control.alarm_ack ? kAlarmAck : 0));
  out[kControlHeartbeat] = control.heartbeat;
  put32(out, kControlCycle, control.cycle, order);
  return out;
}

Control decode_control(std::span<const uint16_t, kControlRegisters> registers, WordOrder order) {
  Control control;
  control.result_ack = (registers[kControlBits] & kResultAck) != 0;
  control.alarm_ack = (registers[kControlBits] & kAlarmAck) != 0;
  control.heartbeat = registers[kControlHeartbeat];
  control.cycle = get32(registers, kControlCycle, order);
  return control;
}

}  // namespace millwright::edge::plc
