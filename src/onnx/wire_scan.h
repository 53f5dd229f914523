// SPDX-License-Identifier: Apache-2.0
// Walks the bytes of a model before protobuf does: protobuf makes an object of 100 to 200 bytes from a record of two
// bytes, so that a file within the byte limit can still ask for tens of gigabytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"

namespace millwright::onnx {

inline constexpr uint64_t kMaxWireRecords = 4'000'000;  // nested messages and strings; a large forest has a million
inline constexpr int kMaxWireDepth = 32;                // messages within messages

struct WireCounts {
  uint64_t records = 0;
  uint64_t nodes = 0;  // of all graphs
};

// kCorrupt with the byte offset where the bytes are no protobuf message; kTooLarge beyond kMaxWireRecords,
// kMaxWireDepth or `max_nodes`; kUnsupported: training information, local functions, sparse tensors.
Result<WireCounts> scan_wire(std::span<const std::byte> bytes, uint64_t max_nodes);

}  // namespace millwright::onnx
