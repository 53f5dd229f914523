// SPDX-License-Identifier: Apache-2.0
// The registers that agent and PLC share: pure encoding and decoding. FORMAT.md has the map and the PLC's duties.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace millwright::edge::plc {

enum class WordOrder : uint8_t { kBig, kLittle };  // which half of a 32-bit value comes first

inline constexpr size_t kBlockRegisters = 16;   // agent to PLC
inline constexpr size_t kControlRegisters = 4;  // PLC to agent
inline constexpr uint16_t kNoScore = 65'535;
inline constexpr uint8_t kLayout = 1;

// Where the control registers' fields lie, counted from their first one.
inline constexpr uint16_t kControlBits = 0;
inline constexpr uint16_t kControlHeartbeat = 1;
inline constexpr uint16_t kControlCycle = 2;  // two registers

enum class VerdictCode : uint16_t { kNone, kGo, kNoGo, kNoVerdict };

struct StatusBits {
  bool ready = false;         // has decided in this life, and in time
  bool busy = false;          // a trigger waits for its verdict
  bool result_valid = false;  // verdict and cycle belong together and are current
  bool pass = false;
  bool stop = true;
  bool fault = false;  // three results in a row came late
  bool alarm = false;
  bool sensor_fault = false;
  bool operator==(const StatusBits&) const = default;
};

// What the agent tells.
struct Block {
  StatusBits status;
  uint16_t heartbeat = 0;
  uint32_t sequence = 0;
  uint32_t cycle = 0;
  VerdictCode verdict = VerdictCode::kNone;
  uint16_t reason = 0;
  uint16_t score = kNoScore;  // x 10,000
  uint16_t severity = 0;      // 0: none, 1: low .. 4: critical
  uint16_t sensor_fault = 0;
  uint8_t layout = kLayout;
  uint8_t on_death = 1;  // 0: hold, 1: stop, 2: pass
  uint32_t stroke = 0;
  bool operator==(const Block&) const = default;
};

// What the PLC tells.
struct Control {
  bool result_ack = false;
  bool alarm_ack = false;
  uint16_t heartbeat = 0;
  uint32_t cycle = 0;  // the part that stands before it; 0: it does not say
  bool operator==(const Control&) const = default;
};

using BlockRegisters = std::array<uint16_t, kBlockRegisters>;
using ControlRegisters = std::array<uint16_t, kControlRegisters>;

BlockRegisters encode_block(const Block& block, WordOrder order);
// nullopt: torn (the sequence at its end is not the one at its begin), of another layout, or a code that is none.
std::optional<Block> decode_block(std::span<const uint16_t, kBlockRegisters> registers, WordOrder order);

ControlRegisters encode_control(const Control& control, WordOrder order);
// Every value of these registers means something; bits that are none are ignored.
Control decode_control(std::span<const uint16_t, kControlRegisters> registers, WordOrder order);

}  // namespace millwright::edge::plc
