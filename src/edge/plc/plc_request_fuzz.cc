// SPDX-License-Identifier: Apache-2.0
// Bytes as a stranger sends them to the port: every frame has one answer within bounds, and only control registers
// change. Bytes as a PLC's registers: what decodes as a block encodes to the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "edge/plc/request.h"

namespace {

namespace plc = millwright::edge::plc;

void check_block(std::span<const uint8_t> bytes) {
  plc::BlockRegisters registers{};
  if (bytes.size() < 2 * registers.size()) return;
  for (size_t i = 0; i < registers.size(); ++i) {
    registers[i] = static_cast<uint16_t>((bytes[2 * i] << 8) | bytes[2 * i + 1]);
  }
  for (const auto order : {plc::WordOrder::kBig, plc::WordOrder::kLittle}) {
    const auto block = plc::decode_block(registers, order);
    if (block && plc::decode_block(plc::encode_block(*block, order), order) != block) __builtin_trap();
    const auto first = std::span(registers).first<plc::kControlRegisters>();
    const plc::Control control = plc::decode_control(first, order);
    if (plc::decode_control(plc::encode_control(control, order), order) != control) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::span<const uint8_t> bytes(data, size);
  check_block(bytes);
  plc::Registers registers{.block = plc::BlockRegisters{}};
  while (true) {
    const auto window = bytes.first(std::min(bytes.size(), plc::kMaxFrameBytes));
    const auto frame = plc::frame_bytes(window);
    if (!frame || *frame == 0) return 0;
    const plc::Answer reply = plc::answer(window.first(*frame), {.unit = 1}, registers, true);
    if (reply.size < 9 || reply.size > plc::kMaxFrameBytes) __builtin_trap();
    if (reply.refused && reply.written) __builtin_trap();
    if (plc::frame_bytes(std::span(reply.bytes).first(reply.size)) != reply.size) __builtin_trap();
    if (reply.written) registers.control = *reply.written;
    bytes = bytes.subspan(*frame);
  }
}
