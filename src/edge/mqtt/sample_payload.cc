// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/sample_payload.h"

#include <bit>
#include <cstring>

namespace millwright::edge {
namespace {

static_assert(std::endian::native == std::endian::little, "the payload is little-endian");

template <typename Sample>
void unpack(const WindowPayload& shape, std::string_view from, float scale, std::span<float> planar) {
  const size_t step = shape.interleaved ? shape.channels : 1;
  for (size_t channel = 0; channel < shape.channels; ++channel) {
    const size_t first = shape.interleaved ? channel : channel * shape.length;
    float* const out = planar.data() + channel * shape.length;
    for (size_t i = 0; i < shape.length; ++i) {
      Sample sample;
      std::memcpy(&sample, &from[(first + i * step) * sizeof(Sample)], sizeof(Sample));
      out[i] = static_cast<float>(sample) * scale;
    }
  }
}

}  // namespace

Status unpack_window(const WindowPayload& shape, std::string_view payload, std::span<float> planar) {
  if (payload.size() != shape.bytes()) {
    return fail(ErrorCode::kInvalidInput, "a payload of {} bytes; a window of {} x {} {} has {}", payload.size(),
                shape.channels, shape.length, shape.kind == PayloadKind::kInt16 ? "int16" : "float32", shape.bytes());
  }
  if (shape.kind == PayloadKind::kInt16) {
    unpack<int16_t>(shape, payload, shape.scale, planar);
  } else if (shape.interleaved && shape.channels > 1) {
    unpack<float>(shape, payload, 1.0F, planar);
  } else {
    std::memcpy(planar.data(), &payload[0], payload.size());
  }
  return {};
}

}  // namespace millwright::edge
