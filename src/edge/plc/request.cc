// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/request.h"

#include <algorithm>

namespace millwright::edge::plc {
namespace {

// The header (MBAP): transaction, protocol, length of what follows it, unit.
constexpr size_t kLengthEnd = 6;
constexpr size_t kHeader = 7;
constexpr size_t kMinLength = 2;
constexpr size_t kMaxLength = kMaxFrameBytes - kLengthEnd;
constexpr unsigned kByte = 8;

constexpr uint8_t kReadHolding = 3;
constexpr uint8_t kReadInput = 4;
constexpr uint8_t kWriteOne = 6;
constexpr uint8_t kWriteMany = 16;
constexpr uint8_t kExceptionBit = 0x80;
constexpr size_t kMaxRead = 125;
constexpr size_t kMaxWrite = 123;

enum Exception : uint8_t {
  kIllegalFunction = 1,
  kIllegalAddress = 2,
  kIllegalValue = 3,
  kServerBusy = 6,
  kNoSuchUnit = 11,
};

uint16_t get16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>((bytes[at] << kByte) | bytes[at + 1]);
}

// One request, its parts named.
struct Request {
  std::span<const uint8_t> frame;
  const RegisterMap& map;
  const Registers& registers;
  bool may_write;

  [[nodiscard]] uint8_t function() const { return frame[kHeader]; }
  [[nodiscard]] std::span<const uint8_t> data() const { return frame.subspan(kHeader + 1); }
};

class Reply {
 public:
  explicit Reply(const Request& request) {
    std::copy_n(request.frame.begin(), kHeader + 1, out_.bytes.begin());
    out_.size = kHeader + 1;
  }
  void put8(uint8_t value) { out_.bytes[out_.size++] = value; }
  void put16(uint16_t value) {
    put8(static_cast<uint8_t>(value >> kByte));
    put8(static_cast<uint8_t>(value));
  }
  Answer refuse(Exception why) {
    out_.bytes[kHeader] |= kExceptionBit;
    put8(why);
    out_.refused = true;
    return finish();
  }
  Answer finish() {
    const size_t length = out_.size - kLengthEnd;
    out_.bytes[kLengthEnd - 2] = static_cast<uint8_t>(length >> kByte);
    out_.bytes[kLengthEnd - 1] = static_cast<uint8_t>(length);
    return out_;
  }
  Answer& answer() { return out_; }

 private:
  Answer out_;
};

Answer read(const Request& request) {
  Reply reply(request);
  constexpr size_t kData = 4;
  const auto data = request.data();
  if (data.size() != kData) return reply.refuse(kIllegalValue);
  const size_t first = get16(data, 0);
  const size_t count = get16(data, 2);
  if (count == 0 || count > kMaxRead) return reply.refuse(kIllegalValue);
  reply.put8(static_cast<uint8_t>(2 * count));
  for (size_t at = first; at < first + count; ++at) {
    const size_t in_block = at - request.map.base;
    const size_t in_control = at - request.map.control_base;
    if (at >= request.map.base && in_block < kBlockRegisters) {
      if (!request.registers.block) return Reply(request).refuse(kServerBusy);
      reply.put16((*request.registers.block)[in_block]);
    } else if (at >= request.map.control_base && in_control < kControlRegisters) {
      reply.put16(request.registers.control[in_control]);
    } else {
      return Reply(request).refuse(kIllegalAddress);
    }
  }
  return reply.finish();
}

// Half of the cycle id would be another part's: it is written whole or not at all.
bool cuts_cycle(size_t first, size_t count) {
  const auto holds = [&](size_t at) { return at >= first && at < first + count; };
  return holds(kControlCycle) != holds(kControlCycle + 1);
}

Answer write(const Request& request, size_t first, std::span<const uint8_t> values) {
  Reply reply(request);
  const size_t count = values.size() / 2;
  const size_t base = request.map.control_base;
  if (!request.may_write || first < base || first + count > base + kControlRegisters ||
      cuts_cycle(first - base, count)) {
    return reply.refuse(kIllegalAddress);
  }
  ControlRegisters control = request.registers.control;
  for (size_t i = 0; i < count; ++i) control[first - base + i] = get16(values, 2 * i);
  const auto echoed = request.data().first(4);
  for (const uint8_t byte : echoed) reply.put8(byte);
  reply.answer().written = control;
  return reply.finish();
}

Answer write_one(const Request& request) {
  constexpr size_t kData = 4;
  const auto data = request.data();
  if (data.size() != kData) return Reply(request).refuse(kIllegalValue);
  return write(request, get16(data, 0), data.subspan(2));
}

Answer write_many(const Request& request) {
  constexpr size_t kHead = 5;
  const auto data = request.data();
  if (data.size() < kHead) return Reply(request).refuse(kIllegalValue);
  const size_t count = get16(data, 2);
  const size_t bytes = data[kHead - 1];
  if (count == 0 || count > kMaxWrite || bytes != 2 * count || data.size() != kHead + bytes) {
    return Reply(request).refuse(kIllegalValue);
  }
  return write(request, get16(data, 0), data.subspan(kHead));
}

}  // namespace

std::optional<size_t> frame_bytes(std::span<const uint8_t> bytes) {
  constexpr size_t kProtocol = 2;
  // As soon as it can be seen that this is something else, it is said.
  for (size_t i = kProtocol; i < std::min<size_t>(bytes.size(), kProtocol + 2); ++i) {
    if (bytes[i] != 0) return std::nullopt;
  }
  if (bytes.size() < kLengthEnd) return 0;
  const size_t length = get16(bytes, kLengthEnd - 2);
  if (length < kMinLength || length > kMaxLength) return std::nullopt;
  return bytes.size() < kLengthEnd + length ? 0 : kLengthEnd + length;
}

Answer answer(std::span<const uint8_t> frame, const RegisterMap& map, const Registers& registers, bool may_write) {
  const Request request{frame, map, registers, may_write};
  const uint8_t unit = frame[kHeader - 1];
  // 0 and 255 mean the device itself where there is no gateway.
  if (unit != map.unit && unit != 0 && unit != 255) return Reply(request).refuse(kNoSuchUnit);
  switch (request.function()) {
    case kReadHolding:
    case kReadInput: return read(request);
    case kWriteOne: return write_one(request);
    case kWriteMany: return write_many(request);
    default: return Reply(request).refuse(kIllegalFunction);
  }
}

}  // namespace millwright::edge::plc
