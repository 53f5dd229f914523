// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/ring.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace millwright::edge::outbox {

Status RingBytes::read(uint64_t position, std::span<std::byte> bytes) const {
  MW_CHECK(bytes.size() <= size_, "a record is smaller than its ring");
  const uint64_t at = position % size_;
  const auto first = bytes.first(std::min<uint64_t>(bytes.size(), size_ - at));
  MW_CHECK_OK(file_->read(begin_ + at, first));
  if (first.size() == bytes.size()) return {};
  return file_->read(begin_, bytes.subspan(first.size()));
}

Status RingBytes::write(uint64_t position, std::span<const std::byte> bytes) const {
  MW_CHECK(bytes.size() <= size_, "a batch is smaller than its ring");
  const uint64_t at = position % size_;
  const auto first = bytes.first(std::min<uint64_t>(bytes.size(), size_ - at));
  MW_CHECK_OK(file_->write(begin_ + at, first));
  if (first.size() == bytes.size()) return {};
  return file_->write(begin_, bytes.subspan(first.size()));
}

Status RingBytes::read_what_can_be(uint64_t position, std::span<std::byte> bytes) const {
  if (read(position, bytes)) return {};
  Status unread;
  constexpr size_t kBlock = 4096;
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    const auto block = bytes.subspan(at, std::min(kBlock, bytes.size() - at));
    if (Status done = read(position + at, block); !done) {
      std::fill(block.begin(), block.end(), std::byte{0});
      unread = std::move(done);
    }
  }
  return unread;
}

void Ring::push(const Entry& entry) {
  entries_.push_back(entry);
  ++count_;
  live_bytes_ += entry.bytes;
}

Entry* Ring::find(uint64_t sequence) {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), sequence,
                                      [](const Entry& entry, uint64_t value) { return entry.sequence < value; });
  if (found == entries_.end() || found->sequence != sequence || found->gone != 0) return nullptr;
  return &*found;
}

const Entry* Ring::next(uint64_t at_least) const {
  auto found = std::lower_bound(entries_.begin(), entries_.end(), at_least,
                                [](const Entry& entry, uint64_t value) { return entry.sequence < value; });
  while (found != entries_.end() && found->gone != 0) ++found;
  return found == entries_.end() ? nullptr : &*found;
}

Entry* Ring::oldest() {
  trim();
  return entries_.empty() ? nullptr : &entries_.front();
}

void Ring::remove(Entry& entry) {
  live_bytes_ -= entry.bytes;
  --count_;
  entry.gone = 1;
  ++gone_;
  // Where one message waits for long, thousands behind it leave; their places are given back now and then.
  constexpr size_t kMany = 1024;
  if (gone_ > kMany && gone_ > entries_.size() / 2) {
    std::erase_if(entries_, [](const Entry& one) { return one.gone != 0; });
    gone_ = 0;
  }
}

void Ring::move(Entry& entry, uint64_t position) {
  entry.position = position;
  entry.moved = 1;
}

void Ring::trim() {
  while (!entries_.empty() && entries_.front().gone != 0) {
    entries_.pop_front();
    --gone_;
  }
}

// Messages lie in the order of their sequence, but for those that were moved; these are among the oldest.
Entry* Ring::first_lying() {
  trim();
  Entry* first = nullptr;
  for (Entry& entry : entries_) {
    if (entry.gone != 0) continue;
    if (first == nullptr || entry.position < first->position) first = &entry;
    if (entry.moved == 0) break;
  }
  return first;
}

uint64_t Ring::tail() {
  const Entry* first = first_lying();
  return first == nullptr ? head : first->position;
}

void Ring::settle() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.position > b.position;
  });
  const auto end = std::unique(entries_.begin(), entries_.end(),
                               [](const Entry& a, const Entry& b) { return a.sequence == b.sequence; });
  entries_.erase(end, entries_.end());
  count_ = entries_.size();
  live_bytes_ = 0;
  gone_ = 0;
  uint64_t first_behind = UINT64_MAX;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    live_bytes_ += entry->bytes;
    entry->moved = entry->position > first_behind ? 1 : 0;
    first_behind = std::min(first_behind, entry->position);
  }
}

void Ring::clear() {
  entries_.clear();
  gone_ = count_ = 0;
  live_bytes_ = head = safe_tail = 0;
}

namespace {

// Looks at a ring through a window, so that a scan reads each byte once.
class Window {
 public:
  Window(const RingBytes& bytes, uint64_t end) : bytes_(bytes), end_(end), buffer_(std::min(kWindow, bytes.size())) {}

  // What lies at `position`, at least `wanted` bytes unless the end comes before.
  std::span<const std::byte> at(uint64_t position, uint64_t wanted) {
    const uint64_t there = std::min(wanted, end_ - std::min(position, end_));
    if (position < from_ || position + there > from_ + filled_) {
      from_ = position;
      filled_ = std::min<uint64_t>(buffer_.size(), end_ - std::min(position, end_));
      if (Status done = bytes_.read_what_can_be(from_, std::span(buffer_).first(filled_)); !done) {
        unread_ = std::move(done);
      }
    }
    return std::span<const std::byte>(buffer_).subspan(position - from_, filled_ - (position - from_));
  }

  [[nodiscard]] const Status& unread() const { return unread_; }

 private:
  static constexpr uint64_t kWindow = 1 << 20;
  const RingBytes& bytes_;
  uint64_t end_;
  std::vector<std::byte> buffer_;
  Status unread_;
  uint64_t from_ = 0;
  uint64_t filled_ = 0;
};

constexpr uint64_t kMaxRecordBytes = sizeof(RecordHead) + kMaxPayloadBytes + kAlignment;

// The next whole record at or behind `from`; `until` where there is none.
uint64_t find_record(Window& window, uint32_t seed, uint64_t from, uint64_t until, RecordHead& head) {
  for (uint64_t position = from; position + sizeof(RecordHead) <= until; position += kAlignment) {
    const auto quick = window.at(position, sizeof(RecordHead));
    uint64_t claimed = 0;
    std::memcpy(&claimed, quick.data() + offsetof(RecordHead, position), sizeof(claimed));
    if (claimed != position) continue;
    if (read_record(window.at(position, kMaxRecordBytes), seed, position, head)) return position;
  }
  return until;
}

}  // namespace

RingScan scan_ring(const RingBytes& bytes, uint32_t seed, uint64_t tail, uint64_t known_head) {
  RingScan scan;
  // A whole lap more than there can be, for a tail out of the older checkpoint.
  const uint64_t lap_end = tail + 2 * bytes.size();
  Window window(bytes, lap_end);
  uint64_t position = tail;
  while (true) {
    RecordHead head;
    if (read_record(window.at(position, kMaxRecordBytes), seed, position, head)) {
      scan.records.push_back(head);
      position += head.bytes();
      continue;
    }
    // A torn batch and a damaged record look alike from here; what lies behind tells.
    const uint64_t until = std::min(lap_end, std::max(position, known_head) + 2 * kMaxBatchBytes);
    const uint64_t found = find_record(window, seed, position, until, head);
    if (found == until) break;
    scan.gaps.push_back({.from = position, .to = found});
    position = found;
  }
  if (position < known_head) scan.gaps.push_back({.from = position, .to = known_head});
  scan.head = std::max(position, known_head);
  scan.stale_until = scan.head;
  scan.unread = window.unread();
  return scan;
}

void cut_batch(RingScan& scan, uint64_t batch, uint64_t known_head) {
  const auto first = std::find_if(scan.records.begin(), scan.records.end(),
                                  [batch](const RecordHead& head) { return head.batch() == batch; });
  if (first != scan.records.end()) {
    uint64_t from = first->position;
    for (const Gap& gap : scan.gaps) {
      if (gap.to == from) from = gap.from;
    }
    scan.head = std::max(from, known_head);
    scan.records.erase(first, scan.records.end());
  }
  std::erase_if(scan.gaps, [&scan](const Gap& gap) { return gap.from >= scan.head; });
}

}  // namespace millwright::edge::outbox
