// SPDX-License-Identifier: Apache-2.0
// A small store on a disk of memory, and short words for what tests do with it.
#pragma once

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"
#include "edge/outbox/outbox.h"

namespace millwright::edge {

// A small store: alerts of 16 KiB, the others of 8 KiB.
inline OutboxOptions small(outbox::FakeDisk& disk) {
  OutboxOptions options;
  options.open_file = disk.opener();
  for (StreamOptions& stream : options.streams) stream.bytes = 8192;
  options.streams[0].bytes = 16'384;
  return options;
}

inline Message message(Stream stream, uint64_t stroke, std::string_view payload) {
  return {.stream = stream, .asset = "press-1", .stroke_id = stroke, .wall_ns = 1, .payload = payload};
}

inline std::vector<uint64_t> strokes(Outbox& outbox, Stream stream) {
  std::vector<uint64_t> found;
  const auto messages = outbox.read(stream, 0, 100'000);
  EXPECT_TRUE(messages) << messages.error().message;
  for (const StoredMessage& one : *messages) found.push_back(one.stroke_id);
  return found;
}

inline void append(Outbox& outbox, Stream stream, uint64_t stroke, std::string_view payload = "hello") {
  const Message one = message(stream, stroke, payload);
  const auto report = outbox.append(std::span(&one, 1));
  ASSERT_TRUE(report) << report.error().message;
}

inline size_t acknowledge(Outbox& outbox, const StoredMessage& one) {
  return outbox.acknowledge(one.boot_id, std::span(&one.sequence, 1));
}

}  // namespace millwright::edge
