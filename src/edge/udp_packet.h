// SPDX-License-Identifier: Apache-2.0
// Raw samples in a datagram; FORMAT.md has the layout. Everything in it is checked before it is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace millwright::edge {

inline constexpr size_t kMaxPacketBytes = 65'507;  // what a datagram can hold over IPv4
inline constexpr size_t kPacketHeaderBytes = 48;
inline constexpr uint32_t kNoCycle = 0xFFFFFFFF;

enum class SampleFormat : uint8_t { kFloat32 = 0, kInt16 = 1 };

struct PacketHeader {
  SampleFormat format = SampleFormat::kFloat32;
  uint16_t channels = 1;
  uint16_t frames = 0;
  uint32_t cycle_frame = kNoCycle;  // frame at which the PLC's cycle began, in this packet
  uint64_t sequence = 0;            // of the packet, from 0
  uint64_t first_frame = 0;         // index of the first frame in the stream
  uint64_t cycle = 0;               // the PLC's counter
  float scale = 1.0F;               // physical units per count, for int16
};

// Checks magic, version, format, sizes and the exact length; nullopt: not a packet of ours.
std::optional<PacketHeader> decode_packet(std::span<const std::byte> bytes);

// The samples of a packet that decode_packet accepted, into `planar` (channels x frames).
void unpack_samples(const PacketHeader& header, std::span<const std::byte> bytes, std::span<float> planar);

// Writes a packet; 0 where `out` is too small. `planar` is channels x frames; for senders and tests.
size_t encode_packet(const PacketHeader& header, std::span<const float> planar, std::span<std::byte> out);

}  // namespace millwright::edge
