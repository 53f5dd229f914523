// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "edge/udp_packet.h"

// Whatever is accepted must unpack within its own size and, encoded again, be the same packet in its meaning.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace edge = millwright::edge;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header = edge::decode_packet(bytes);
  if (!header) return 0;
  std::vector<float> planar(static_cast<size_t>(header->channels) * header->frames);
  edge::unpack_samples(*header, bytes, planar);
  std::vector<std::byte> again(size);
  if (edge::encode_packet(*header, planar, again) != size) __builtin_trap();
  if (!edge::decode_packet(again)) __builtin_trap();
  return 0;
}
