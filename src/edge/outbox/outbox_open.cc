// SPDX-License-Identifier: Apache-2.0
// The reading half of the outbox's life: what a start finds in the file, and what it makes of it.
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "edge/outbox/outbox.h"

namespace millwright::edge {

using outbox::Entry;
using outbox::Gap;
using outbox::RecordHead;
using outbox::RingScan;

namespace {

constexpr uint64_t kNanosPerSecond = 1'000'000'000;
// A bus or a card that stumbled may read at the next attempt what it could not read now; what it cannot read at this
// one, it never will.
constexpr uint32_t kReadAttempts = 4;
// Fills the place of what was damaged, so that the next start finds an unbroken chain and does not count it again.
constexpr uint16_t kFiller = 0xFFFF;

template <typename T>
T random_value() {
  T value{};
  MW_CHECK(::getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)), "the kernel gives bytes");
  return value;
}

outbox::BootId new_boot_id() {
  auto id = random_value<outbox::BootId>();
  // RFC 9562, version 4.
  id[6] = static_cast<uint8_t>((id[6] & 0x0FU) | 0x40U);
  id[8] = static_cast<uint8_t>((id[8] & 0x3FU) | 0x80U);
  return id;
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// The last batch is the only one that a kill can tear, and only where no checkpoint knows it. Returns its number.
uint64_t torn_batch(const std::array<RingScan, kStreams>& scans, uint64_t next_sequence) {
  uint64_t last = 0;
  uint64_t count = 0;
  for (const RingScan& scan : scans) {
    for (const RecordHead& head : scan.records) {
      if (head.asset == kFiller || head.batch() < next_sequence || head.batch() < last) continue;
      if (head.batch() > last) count = 0;
      last = head.batch();
      if (++count == head.batch_count) count = 0;  // whole; no more of it can come
    }
  }
  return count == 0 ? 0 : last;
}

}  // namespace

Status Outbox::open() {
  const std::lock_guard writing(writing_);
  const std::lock_guard lock(mutex_);
  if (open_) return {};
  Status opened = open_locked();
  if (!opened) return close_on(opened.error());
  open_ = true;
  last_error_.clear();
  return {};
}

Status Outbox::open_locked() {
  file_ = MW_TRY(options_.open_file());
  state_ = {};
  for (auto& ring : rings_) ring.clear();
  templates_ = {};
  bool found = false;
  MW_CHECK_OK(read_checkpoints(*file_, found));
  if (!found) MW_CHECK_OK(format(*file_));
  opened_ns_ = last_checkpoint_ns_ = rate_since_ns_ = clock_.monotonic_ns();
  rate_bytes_ = 0;
  MW_CHECK_OK(recover());
  return begin_boot();
}

// The newer of the two that is whole. Where there is none: a file that holds something is set aside.
Status Outbox::read_checkpoints(outbox::BlockFile& file, bool& found) {
  std::vector<std::byte> bytes(std::min(2 * outbox::kCheckpointBytes, file.size()));
  Status unread;
  for (size_t copy = 0; copy < 2; ++copy) {
    const size_t at = copy * outbox::kCheckpointBytes;
    if (at >= bytes.size()) break;
    const auto place = std::span(bytes).subspan(at, std::min<size_t>(outbox::kCheckpointBytes, bytes.size() - at));
    if (Status read = file.read(at, place); !read) {
      unread = std::move(read);
      continue;
    }
    auto checkpoint = outbox::decode_checkpoint(place, file.size());
    if (!checkpoint || (found && checkpoint->generation < state_.generation)) continue;
    state_ = std::move(*checkpoint);
    found = true;
  }
  // What cannot be read now may be good.
  if (!found) MW_CHECK_OK(unread);
  if (found || all_zero(bytes)) return {};
  ++quarantined_;
  return file.set_aside();
}

Status Outbox::format(outbox::BlockFile& file) {
  uint64_t bytes = outbox::kRingsAt;
  for (size_t i = 0; i < kStreams; ++i) {
    state_.rings[i] = {.begin = bytes, .bytes = options_.streams[i].bytes};
    bytes += options_.streams[i].bytes;
  }
  state_.store = random_value<uint32_t>();
  return file.allocate(bytes);
}

Status Outbox::recover() {
  templates_.load(*file_, state_.store);
  std::array<RingScan, kStreams> scans;
  for (size_t i = 0; i < kStreams; ++i) {
    const outbox::RingMark& mark = state_.rings[i];
    bytes_[i] = outbox::RingBytes(*file_, mark.begin, mark.bytes);
    scans[i] = scan_ring(bytes_[i], state_.store, mark.tail, mark.head);
  }
  MW_CHECK_OK(judge_reading(scans));
  const uint64_t known_next = state_.next_sequence;
  // Its numbers are not used again, even though nobody was told of them.
  for (const RingScan& scan : scans) {
    for (const RecordHead& head : scan.records) {
      if (head.asset != kFiller) state_.next_sequence = std::max(state_.next_sequence, head.sequence + 1);
    }
  }
  if (const uint64_t torn = torn_batch(scans, known_next); torn != 0) {
    for (size_t i = 0; i < kStreams; ++i) {
      cut_batch(scans[i], torn, state_.rings[i].head);
      const std::vector<std::byte> zeros(std::min<uint64_t>(scans[i].stale_until - scans[i].head, bytes_[i].size()));
      if (!zeros.empty()) MW_CHECK_OK(bytes_[i].write(scans[i].head, zeros));
    }
    MW_CHECK_OK(file_->sync());
  }
  observed_before_ns_ = state_.observed_ns;
  for (size_t i = 0; i < kStreams; ++i) take_scan(i, scans[i]);
  for (size_t i = 0; i < kStreams; ++i) {
    for (const Gap& gap : scans[i].gaps) MW_CHECK_OK(fill_gap(i, gap));
  }
  return {};
}

// What could not be read looks like damage and would be written over.
Status Outbox::judge_reading(const std::array<RingScan, kStreams>& scans) {
  const auto bad = std::ranges::find_if(scans, [](const RingScan& scan) { return !scan.unread; });
  if (bad == scans.end() || ++unread_openings_ >= kReadAttempts) {
    unread_openings_ = 0;
    return {};
  }
  ++unreadable_;
  return fail(ErrorCode::kIo, "outbox: {}: {} (attempt {} of {}; then it is taken for damaged)",
              name(static_cast<Stream>(bad - scans.begin())), bad->unread.error().message, unread_openings_,
              kReadAttempts);
}

void Outbox::take_scan(size_t stream, const RingScan& scan) {
  outbox::Ring& ring = rings_[stream];
  for (const RecordHead& head : scan.records) {
    if (head.asset >= state_.assets.size()) continue;
    ring.push({.sequence = head.sequence,
               .position = head.position,
               .age_s = head.age_s,
               .bytes = static_cast<uint32_t>(head.bytes())});
    templates_.used(head.model, static_cast<Stream>(stream), head.position + head.bytes());
    uint64_t& highest = state_.assets[head.asset].strokes[stream];
    highest = std::max(highest, head.stroke_id);
    observed_before_ns_ = std::max(observed_before_ns_, head.age_s * kNanosPerSecond);
  }
  ring.settle();
  ring.head = scan.head;
  ring.safe_tail = state_.rings[stream].tail;
  // With the older checkpoint, the newer one damaged, the head may be more than a lap ahead of its tail.
  if (ring.head - ring.safe_tail > bytes_[stream].size()) ring.safe_tail = ring.tail();
}

// Keeps a copy of what was there for a person to look at.
void Outbox::quarantine(size_t stream, const Gap& gap) {
  ++quarantined_;
  std::string bytes(std::min<uint64_t>({gap.to - gap.from, outbox::kMaxPayloadBytes, bytes_[stream].size()}), '\0');
  (void)bytes_[stream].read_what_can_be(gap.from, std::as_writable_bytes(std::span(bytes)));
  const std::string head = fmt::format("{} position {} bytes {} kept {}\n", name(static_cast<Stream>(stream)), gap.from,
                                       gap.to - gap.from, bytes.size());
  // Where it cannot be kept it is counted all the same.
  (void)quarantine_.append(head + bytes + "\n");
}

Status Outbox::fill_gap(size_t stream, const Gap& gap) {
  const uint64_t size = bytes_[stream].size();
  // Where the newer checkpoint was damaged, the tail of the older one lies in what was written over since: that is no
  // damage, and must stay.
  if (gap.from + size < rings_[stream].head) return {};
  ++state_.rings[stream].drops[static_cast<size_t>(DropReason::kCorrupt)];
  quarantine(stream, gap);
  for (uint64_t at = gap.from; at < gap.to;) {
    const uint64_t left = gap.to - at;
    uint64_t length = std::min<uint64_t>(left, outbox::kMaxPayloadBytes);
    if (left - length > 0 && left - length < sizeof(RecordHead)) length -= sizeof(RecordHead);
    if (length < sizeof(RecordHead)) return {};  // no record was there; the next start looks again
    std::string filler(length, '\0');
    RecordHead head;
    head.stored_bytes = static_cast<uint32_t>(length - sizeof(head));
    head.position = at;
    head.sequence = 1;
    head.asset = kFiller;
    head.batch_count = 1;
    std::memcpy(filler.data(), &head, sizeof(head));
    const auto bytes = std::as_writable_bytes(std::span(filler));
    outbox::seal(bytes, state_.store);
    MW_CHECK_OK(bytes_[stream].write(at, bytes));
    at += length;
  }
  return {};
}

// Who stored a message is found by its sequence; boots of which nothing waits are forgotten.
Status Outbox::begin_boot() {
  auto& boots = state_.boots;
  for (size_t i = boots.size(); i-- > 0;) {
    const uint64_t end = i + 1 < boots.size() ? boots[i + 1].first_sequence : UINT64_MAX;
    const bool needed = std::any_of(rings_.begin(), rings_.end(), [&](const outbox::Ring& ring) {
      const Entry* entry = ring.next(boots[i].first_sequence);
      return entry != nullptr && entry->sequence < end;
    });
    if (!needed) boots.erase(boots.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (boots.size() == outbox::kMaxBoots) {
    // No room for another name; a step that no torn batch can have reached keeps identities apart as well.
    constexpr uint64_t kStep = 1 << 20;
    state_.next_sequence += kStep;
  } else {
    boots.push_back({.first_sequence = state_.next_sequence, .id = new_boot_id()});
  }
  return checkpoint();
}

}  // namespace millwright::edge
