// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "edge/mqtt/sample_inbox.h"

// Two bytes choose the shape, the rest is cut into messages: whatever comes, each window that is taken or left out is
// one event, and every sample lies inside.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace edge = millwright::edge;
  if (size < 2) return 0;
  edge::InboxOptions options;
  options.payload = {.kind = static_cast<edge::PayloadKind>(data[0] % 3),
                     .interleaved = (data[0] & 4U) != 0,
                     .channels = 1 + data[1] % 3U,
                     .length = 8};
  options.rate_hz = (data[0] & 8U) != 0 ? 1000.0 : 0.0;
  options.slots = 4;
  const bool packets = options.payload.kind == edge::PayloadKind::kPacket;
  edge::SampleInbox inbox(options);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t step = packets ? 128 : options.payload.bytes();
  uint64_t windows = 0;
  uint64_t events = 0;
  float sum = 0.0F;
  const auto drain = [&] {
    while (const auto block = inbox.take(5)) {
      if (block->planar.size() != block->frames * options.payload.channels) __builtin_trap();
      for (const float sample : block->planar) sum += sample;
      events += block->events.size();
    }
  };
  for (size_t at = 0; at < bytes.size(); at += step) {
    const auto message = bytes.substr(at, step);
    inbox.put(message, static_cast<int64_t>(at));
    windows += message.size() == options.payload.bytes() ? 1 : 0;
    if (at % 7 == 0) drain();
  }
  drain();
  if (!packets && events != windows) __builtin_trap();
  return sum == 1.0F ? 1 : 0;
}
