// SPDX-License-Identifier: Apache-2.0
// A window of samples as the payload of a message, without a header: what most gateways can send as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"

namespace millwright::edge {

enum class PayloadKind : uint8_t {
  kPacket,   // a packet as by UDP, see udp_packet.h
  kFloat32,  // a whole window
  kInt16,    // the same, in counts
};

struct WindowPayload {
  PayloadKind kind = PayloadKind::kFloat32;  // not kPacket
  bool interleaved = false;                  // one sample of each channel after the other, instead of whole channels
  float scale = 1.0F;                        // physical units per count; for int16
  size_t channels = 1;
  size_t length = 0;  // samples per channel

  [[nodiscard]] size_t bytes() const {
    return channels * length * (kind == PayloadKind::kInt16 ? sizeof(int16_t) : sizeof(float));
  }
};

// Little-endian samples into `planar` (channels x length). kInvalidInput where the payload is not exactly one window.
Status unpack_window(const WindowPayload& shape, std::string_view payload, std::span<float> planar);

}  // namespace millwright::edge
