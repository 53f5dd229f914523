// SPDX-License-Identifier: Apache-2.0
#include "edge/udp_packet.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "signal/feature_spec.h"

namespace millwright::edge {
namespace {

static_assert(std::endian::native == std::endian::little, "the packet is little-endian");
constexpr uint32_t kMagic = 0x3153574DU;  // "MWS1"
constexpr uint8_t kVersion = 1;

template <typename T>
T load(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <typename T>
void store(std::span<std::byte> bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

size_t sample_bytes(SampleFormat format) { return format == SampleFormat::kInt16 ? sizeof(int16_t) : sizeof(float); }

}  // namespace

std::optional<PacketHeader> decode_packet(std::span<const std::byte> bytes) {
  if (bytes.size() < kPacketHeaderBytes || load<uint32_t>(bytes, 0) != kMagic) return std::nullopt;
  const auto format = load<uint8_t>(bytes, 5);
  if (load<uint8_t>(bytes, 4) != kVersion || format > static_cast<uint8_t>(SampleFormat::kInt16)) return std::nullopt;
  PacketHeader header;
  header.format = static_cast<SampleFormat>(format);
  header.channels = load<uint16_t>(bytes, 6);
  header.frames = load<uint16_t>(bytes, 8);
  header.cycle_frame = load<uint32_t>(bytes, 12);
  header.sequence = load<uint64_t>(bytes, 16);
  header.first_frame = load<uint64_t>(bytes, 24);
  header.cycle = load<uint64_t>(bytes, 32);
  header.scale = load<float>(bytes, 40);
  if (header.channels == 0 || header.channels > signal::kMaxChannels || header.frames == 0) return std::nullopt;
  if (!std::isfinite(header.scale)) return std::nullopt;
  if (header.cycle_frame != kNoCycle && (header.cycle_frame >= header.frames || header.cycle == 0)) return std::nullopt;
  const size_t samples = static_cast<size_t>(header.channels) * header.frames;
  if (bytes.size() != kPacketHeaderBytes + samples * sample_bytes(header.format)) return std::nullopt;
  return header;
}

void unpack_samples(const PacketHeader& header, std::span<const std::byte> bytes, std::span<float> planar) {
  const auto payload = bytes.subspan(kPacketHeaderBytes);
  const size_t samples = static_cast<size_t>(header.channels) * header.frames;
  for (size_t i = 0; i < samples; ++i) {
    planar[i] = header.format == SampleFormat::kInt16
                    ? static_cast<float>(load<int16_t>(payload, i * sizeof(int16_t))) * header.scale
                    : load<float>(payload, i * sizeof(float));
  }
}

size_t encode_packet(const PacketHeader& header, std::span<const float> planar, std::span<std::byte> out) {
  const size_t samples = static_cast<size_t>(header.channels) * header.frames;
  const size_t bytes = kPacketHeaderBytes + samples * sample_bytes(header.format);
  if (out.size() < bytes || planar.size() < samples) return 0;
  std::fill_n(out.begin(), kPacketHeaderBytes, std::byte{0});
  store(out, 0, kMagic);
  store(out, 4, kVersion);
  store(out, 5, static_cast<uint8_t>(header.format));
  store(out, 6, header.channels);
  store(out, 8, header.frames);
  store(out, 12, header.cycle_frame);
  store(out, 16, header.sequence);
  store(out, 24, header.first_frame);
  store(out, 32, header.cycle);
  store(out, 40, header.scale);
  const auto payload = out.subspan(kPacketHeaderBytes);
  for (size_t i = 0; i < samples; ++i) {
    if (header.format == SampleFormat::kInt16) {
      const float counts = std::clamp(std::nearbyint(planar[i] / header.scale), -32768.0F, 32767.0F);
      // Counts cannot say "not a number"; a scale so small that it makes one is answered by silence.
      store(payload, i * sizeof(int16_t), static_cast<int16_t>(std::isnan(counts) ? 0.0F : counts));
    } else {
      store(payload, i * sizeof(float), planar[i]);
    }
  }
  return bytes;
}

}  // namespace millwright::edge
