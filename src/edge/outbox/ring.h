// SPDX-License-Identifier: Apache-2.0
// One stream: where its bytes lie, which messages wait, and what a start finds of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "edge/outbox/block_file.h"
#include "edge/outbox/layout.h"

namespace millwright::edge::outbox {

// A message that waits, or has just left.
struct Entry {
  uint64_t sequence = 0;
  uint64_t position = 0;
  uint32_t age_s = 0;
  uint32_t bytes : 22 = 0;
  uint32_t refusals : 8 = 0;
  uint32_t moved : 1 = 0;  // written again further on: it lies behind younger ones
  uint32_t gone : 1 = 0;
};

// Bytes of a ring in the file; positions wrap.
class RingBytes {
 public:
  RingBytes() = default;
  RingBytes(BlockFile& file, uint64_t begin, uint64_t size) : file_(&file), begin_(begin), size_(size) {}
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] Status read(uint64_t position, std::span<std::byte> bytes) const;
  [[nodiscard]] Status write(uint64_t position, std::span<const std::byte> bytes) const;
  // What cannot be read is zeros: one bad block must not keep the rest from being read. The error is that of the last
  // such block.
  Status read_what_can_be(uint64_t position, std::span<std::byte> bytes) const;

 private:
  BlockFile* file_ = nullptr;
  uint64_t begin_ = 0;
  uint64_t size_ = 0;
};

// The messages of a ring, by sequence.
class Ring {
 public:
  void push(const Entry& entry);
  [[nodiscard]] Entry* find(uint64_t sequence);
  // First message that waits with at least this sequence; nullptr: none.
  [[nodiscard]] const Entry* next(uint64_t at_least) const;
  [[nodiscard]] Entry* oldest();
  void remove(Entry& entry);
  void move(Entry& entry, uint64_t position);
  // The waiting message that lies first in the ring.
  [[nodiscard]] Entry* first_lying();
  // After filling by push() in any order: sorts, keeps the last copy of each message.
  void settle();
  void clear();

  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] uint64_t live_bytes() const { return live_bytes_; }
  [[nodiscard]] uint64_t tail();

  uint64_t head = 0;
  uint64_t safe_tail = 0;  // as the last durable checkpoint has it: bytes behind it must stay as they are

 private:
  void trim();

  std::deque<Entry> entries_;  // by sequence
  size_t gone_ = 0;
  size_t count_ = 0;
  uint64_t live_bytes_ = 0;
};

// What lies between a tail and the end of what was written.
struct Gap {
  uint64_t from = 0;
  uint64_t to = 0;
};
struct RingScan {
  std::vector<RecordHead> records;  // by position
  std::vector<Gap> gaps;            // damaged, with something good behind them or known to have been written
  uint64_t head = 0;
  uint64_t stale_until = 0;  // bytes from the head to here may hold what was cut off
  Status unread;             // an error: some of it could not be read and was taken for zeros
};
// `known_head`: as far as the checkpoint saw it.
RingScan scan_ring(const RingBytes& bytes, uint32_t seed, uint64_t tail, uint64_t known_head);
// Takes the records of one batch off the end, and the gap before them.
void cut_batch(RingScan& scan, uint64_t batch, uint64_t known_head);

}  // namespace millwright::edge::outbox
