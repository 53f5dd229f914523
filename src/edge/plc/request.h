// SPDX-License-Identifier: Apache-2.0
// Modbus TCP from the server's side, as pure functions on bytes: the frame's bounds, and the answer to one request.
// The server does this itself, because libmodbus waits for the rest of a request that was sent in half, and while it
// waits for one client the PLC would wait too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "edge/plc/registers.h"

namespace millwright::edge::plc {

inline constexpr size_t kMaxFrameBytes = 260;

// How long the first frame in `bytes` is; 0: more bytes are needed; nullopt: this is not Modbus TCP.
std::optional<size_t> frame_bytes(std::span<const uint8_t> bytes);

// Where the two blocks lie.
struct RegisterMap {
  uint8_t unit = 255;
  uint16_t base = 0;
  uint16_t control_base = kBlockRegisters;
  WordOrder order = WordOrder::kBig;
  bool operator==(const RegisterMap&) const = default;
};

struct Registers {
  std::optional<BlockRegisters> block;  // nullopt: cannot be had now
  ControlRegisters control{};
};

struct Answer {
  std::array<uint8_t, kMaxFrameBytes> bytes{};
  size_t size = 0;
  bool refused = false;                     // an exception
  std::optional<ControlRegisters> written;  // the control registers as the request leaves them
};

// `frame` is whole, as frame_bytes() found it. `may_write`: whether this peer may write the control registers.
Answer answer(std::span<const uint8_t> frame, const RegisterMap& map, const Registers& registers, bool may_write);

}  // namespace millwright::edge::plc
