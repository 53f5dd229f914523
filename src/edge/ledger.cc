// SPDX-License-Identifier: Apache-2.0
#include "edge/ledger.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr uint64_t kMagic = 0x31304C444557574DULL;  // "MWWEDL01", little-endian
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 4096;
constexpr size_t kBootIdBytes = 64;

// The lowest byte of a slot's tag; the rest is its sequence number + 1.
enum State : uint64_t { kEmpty = 0, kOpened = 1, kDecided = 2, kRun = 3, kDamaged = 4 };
constexpr unsigned kStateBits = 8;

// A run's word: total strokes | of these without a PLC cycle << 31 | closed << 63. 0: no run, a single stroke.
constexpr uint64_t kRunMask = (1ULL << 31) - 1;
constexpr unsigned kUncycledShift = 31;
constexpr uint64_t kRunClosed = 1ULL << 63;

struct RunLength {
  uint64_t count;
  uint64_t cycled;  // the first ones, whose PLC cycles count upward
};

RunLength length_of(uint64_t run) {
  if (run == 0) return {1, 1};
  const uint64_t count = run & kRunMask;
  return {count, count - std::min(count, (run >> kUncycledShift) & kRunMask)};
}

// What was moved aside before stays.
std::string free_name(const std::string& wanted) {
  std::error_code ignored;
  std::string name = wanted;
  for (int n = 2; std::filesystem::exists(name, ignored); ++n) name = fmt::format("{}.{}", wanted, n);
  return name;
}

uint64_t tag_of(uint64_t sequence, State state) { return ((sequence + 1) << kStateBits) | state; }
State state_of(uint64_t tag) { return static_cast<State>(tag & ((1U << kStateBits) - 1)); }

// Finds torn pages, not attackers: multiply and shift over 8-byte words.
uint64_t checksum(const void* data, size_t bytes, uint64_t seed) {
  const auto* in = static_cast<const unsigned char*>(data);
  uint64_t sum = seed ^ 0x9E3779B97F4A7C15ULL;
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, in + i, std::min(sizeof(word), bytes - i));
    sum = (sum ^ word) * 0xBF58476D1CE4E5B9ULL;
    sum ^= sum >> 29;
  }
  return sum;
}

model::StrokeRecord undecided(uint64_t id, const TriggerStamp& stamp, model::Reason reason) {
  model::StrokeRecord record;
  record.stroke_id = id;
  record.plc_cycle = stamp.plc_cycle;
  record.trigger_wall_ns = stamp.wall_ns;
  record.trigger_monotonic_ns = stamp.monotonic_ns;
  record.reason = reason;
  record.score = std::numeric_limits<double>::quiet_NaN();
  record.raw_score = std::numeric_limits<double>::quiet_NaN();
  return record;
}

}  // namespace

// Everything here must be lock-free atomics or plain bytes: another process reads it after this one was killed.
struct Ledger::Header {
  uint64_t magic;
  uint32_t version;
  uint32_t slot_bytes;
  uint64_t slots;
  uint64_t checksum;  // of the members above
  std::atomic<uint64_t> tail;
  std::atomic<uint64_t> last_id;
  std::atomic<uint64_t> last_cycle;
  std::atomic<uint64_t> reserved_until;  // ids up to here may have been used before a power cut
  std::atomic<uint64_t> clean;           // 1: stopped in order, everything is in the journal
  char boot_id[kBootIdBytes];
  // Zero, which is a normal alarm, in a ledger made before these were.
  std::atomic<uint64_t> alarm_state;
  std::atomic<uint64_t> alarm_recent;
};

// What is known at the trigger and what is known at the verdict lie apart, each with its checksum: killed in the middle
// of the second, the first still stands.
struct alignas(64) Ledger::Slot {
  std::atomic<uint64_t> tag;
  std::atomic<uint64_t> run;  // 0: a single stroke
  uint64_t opened_id;
  TriggerStamp opened;
  uint64_t opened_checksum;
  uint64_t checksum;  // of record
  model::StrokeRecord record;

  [[nodiscard]] uint64_t sum_of_opened(uint64_t sequence) const {
    return edge::checksum(&opened_id, sizeof(opened_id) + sizeof(opened), sequence);
  }
  [[nodiscard]] uint64_t sum_of_record(uint64_t sequence) const {
    return edge::checksum(&record, sizeof(record), sequence);
  }
  void set_record(const model::StrokeRecord& from, uint64_t sequence) {
    std::memcpy(static_cast<void*>(&record), &from, sizeof(record));
    checksum = sum_of_record(sequence);
  }
  [[nodiscard]] bool intact(uint64_t sequence) const {
    switch (state_of(tag)) {
      case kOpened: return opened_checksum == sum_of_opened(sequence);
      case kDecided:
      case kRun: return checksum == sum_of_record(sequence);
      default: return false;
    }
  }
};

Ledger::Ledger(Ledger&& other) noexcept
    : file_(std::move(other.file_)),
      slots_(other.slots_),
      head_(other.head_.load()),
      next_id_(other.next_id_.load()),
      lost_(other.lost_.load()),
      last_cycle_(other.last_cycle_),
      recovery_(std::move(other.recovery_)) {}

Ledger::Header& Ledger::header() const { return *reinterpret_cast<Header*>(file_.data()); }

Ledger::Slot& Ledger::slot(uint64_t sequence) const {
  return reinterpret_cast<Slot*>(file_.data() + kHeaderBytes)[sequence % slots_];
}

size_t Ledger::bytes_of(size_t slots) { return kHeaderBytes + slots * sizeof(Slot); }

// 0: no ledger has this size.
size_t Ledger::slots_in(uintmax_t bytes) {
  if (bytes < kHeaderBytes || (bytes - kHeaderBytes) % sizeof(Slot) != 0) return 0;
  const uintmax_t slots = (bytes - kHeaderBytes) / sizeof(Slot);
  return slots >= kMinLedgerSlots && slots <= kMaxLedgerSlots ? slots : 0;
}

Result<Ledger> Ledger::open(const LedgerOptions& options) {
  static_assert(sizeof(Header) <= kHeaderBytes && std::atomic<uint64_t>::is_always_lock_free);
  MW_CHECK(options.slots >= kMinLedgerSlots && options.slots <= kMaxLedgerSlots, "the configuration bounds the slots");
  std::error_code ignored;
  const bool existed = std::filesystem::exists(options.path, ignored);

  Ledger ledger;
  ledger.slots_ = existed ? slots_in(std::filesystem::file_size(options.path, ignored)) : 0;
  if (ledger.slots_ > 0) ledger.file_ = MW_TRY(MappedFile::open(options.path, bytes_of(ledger.slots_)));
  if (ledger.slots_ > 0 && ledger.readable()) {
    // Its strokes and its alarm are worth more than another size.
    if (ledger.slots_ != options.slots) ledger.recovery_.kept_slots = ledger.slots_;
  } else if (existed) {
    ledger.file_ = MappedFile();
    ledger.recovery_.moved_aside = free_name(options.path.string() + ".unreadable");
    std::filesystem::rename(options.path, ledger.recovery_.moved_aside, ignored);
    if (ignored) {
      return fail(ErrorCode::kIo, "{}: unreadable, and cannot be moved aside: {}", options.path.string(),
                  ignored.message());
    }
  }
  if (ledger.file_.data() == nullptr) {
    ledger.slots_ = options.slots;
    ledger.file_ = MW_TRY(MappedFile::open(options.path, bytes_of(ledger.slots_)));
    ledger.format(options);
  }
  ledger.recover(options);
  MW_CHECK_OK(ledger.keep_reserve());
  MW_CHECK_OK(ledger.file_.sync(kHeaderBytes));
  return ledger;
}

bool Ledger::readable() const {
  const Header& h = header();
  return h.magic == kMagic && h.version == kVersion && h.slot_bytes == sizeof(Slot) && h.slots == slots_ &&
         h.checksum == checksum(&h, offsetof(Header, checksum), kVersion);
}

void Ledger::format(const LedgerOptions& options) {
  Header& h = header();
  h.magic = kMagic;
  h.version = kVersion;
  h.slot_bytes = sizeof(Slot);
  h.slots = options.slots;
  h.checksum = checksum(&h, offsetof(Header, checksum), kVersion);
  h.clean = recovery_.moved_aside.empty() ? 1 : 0;
  h.reserved_until = recovery_.moved_aside.empty() ? 0 : options.journal_last_id + kIdReserve;
}

void Ledger::recover(const LedgerOptions& options) {
  Header& h = header();
  head_ = h.tail.load();
  next_id_ = std::max(h.last_id.load(), options.journal_last_id) + 1;
  // After a power cut the journal, which is synced, may be ahead of the ledger, which is not. Where both end with the
  // same stroke the ledger knows more: that stroke's record may have no cycle.
  last_cycle_ = options.journal_last_id > h.last_id ? options.journal_last_cycle : h.last_cycle.load();
  recover_slots(options.journal_last_id);

  char boot[kBootIdBytes] = {};
  std::memcpy(boot, options.boot_id.data(), std::min(options.boot_id.size(), kBootIdBytes - 1));
  const bool same_boot = recovery_.moved_aside.empty() && std::memcmp(boot, h.boot_id, kBootIdBytes) == 0;
  if (!same_boot && h.clean == 0 && next_id_ <= h.reserved_until) {
    recovery_.ids_skipped = h.reserved_until + 1 - next_id_;
    next_id_ = h.reserved_until + 1;
  }
  std::memcpy(h.boot_id, boot, kBootIdBytes);
  h.clean = 0;
}

// Walks from the oldest slot that was not released as far as the sequence goes on, completes what was left open, and
// wipes the rest, so that nothing of an earlier lap can be taken for new.
void Ledger::recover_slots(uint64_t journal_last_id) {
  const uint64_t tail = head_;
  uint64_t head = tail;
  for (; head - tail < slots_; ++head) {
    Slot& s = slot(head);
    if (s.tag >> kStateBits != head + 1) break;
    if (!s.intact(head)) {
      s.tag = tag_of(head, kDamaged);
      ++recovery_.damaged_slots;
      continue;
    }
    if (state_of(s.tag) == kOpened) {
      s.set_record(undecided(s.opened_id, s.opened, model::Reason::kRestart), head);
      s.tag.store(tag_of(head, kDecided), std::memory_order_release);
      ++recovery_.restarted;
    } else {
      ++recovery_.undrained;
    }
    const RunLength run = length_of(s.run);
    const uint64_t end = s.record.stroke_id + run.count;
    recovery_.strokes += end - std::min(end, std::max(s.record.stroke_id, journal_last_id + 1));
    next_id_ = std::max(next_id_.load(), end);
    // The header knows the newest cycle, except where it is older than the slots: after a power cut.
    if (end > header().last_id + 1 && s.record.plc_cycle != 0 && run.cycled == run.count) {
      last_cycle_ = s.record.plc_cycle + run.cycled - 1;
    }
  }
  for (uint64_t i = head; i < tail + slots_; ++i) slot(i).tag = 0;
  head_ = head;
}

// Tells the writer and the next start that the newest strokes exist.
void Ledger::advance(uint64_t last_id, uint64_t last_cycle) {
  next_id_.store(last_id + 1, std::memory_order_relaxed);
  if (last_cycle != 0) last_cycle_ = last_cycle;
  Header& h = header();
  // The cycle first: a header that knows the stroke knows its cycle.
  h.last_cycle.store(last_cycle_, std::memory_order_relaxed);
  h.last_id.store(last_id, std::memory_order_release);
}

Ledger::Opened Ledger::open_stroke(const TriggerStamp& stamp) {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const uint64_t id = next_id_.load(std::memory_order_relaxed);
  if (!has_room()) {
    add_run(model::Reason::kOverload, stamp, 1);
    return {.stroke_id = id, .kept = false};
  }
  Slot& s = slot(head);
  s.opened_id = id;
  s.opened = stamp;
  s.opened_checksum = s.sum_of_opened(head);
  s.run.store(0, std::memory_order_relaxed);
  s.tag.store(tag_of(head, kOpened), std::memory_order_release);
  advance(id, stamp.plc_cycle);
  head_.store(head + 1, std::memory_order_release);
  return {.stroke_id = id, .kept = true, .place = head};
}

void Ledger::decide(const Opened& opened, const model::StrokeRecord& record) {
  Slot& s = slot(opened.place);
  MW_CHECK(s.tag.load(std::memory_order_relaxed) == tag_of(opened.place, kOpened) && s.opened_id == record.stroke_id,
           "a verdict belongs to a stroke that is open");
  s.set_record(record, opened.place);
  s.tag.store(tag_of(opened.place, kDecided), std::memory_order_release);
}

void Ledger::keep_alarm(const AlarmMemory& memory) {
  header().alarm_recent.store(memory.recent, std::memory_order_relaxed);
  header().alarm_state.store(memory.state, std::memory_order_relaxed);
}

AlarmMemory Ledger::alarm() const { return {.state = header().alarm_state, .recent = header().alarm_recent}; }

void Ledger::add_run(model::Reason reason, const TriggerStamp& stamp, uint64_t count) {
  MW_CHECK(count > 0 && count < kRunMask, "a run is bounded by the caller");
  const bool room = has_room();
  if (!room && grow_run(stamp, count)) return;
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const uint64_t last_cycle = stamp.plc_cycle == 0 ? 0 : stamp.plc_cycle + count - 1;
  if (head - header().tail.load(std::memory_order_acquire) >= slots_) {
    lost_.fetch_add(count, std::memory_order_relaxed);
    advance(next_id_.load(std::memory_order_relaxed) + count - 1, last_cycle);
    return;
  }
  const uint64_t id = next_id_.load(std::memory_order_relaxed);
  Slot& s = slot(head);
  s.set_record(undecided(id, stamp, room ? reason : model::Reason::kOverload), head);
  s.run.store(count | (room ? kRunClosed : 0), std::memory_order_relaxed);
  s.tag.store(tag_of(head, kRun), std::memory_order_release);
  advance(id + count - 1, last_cycle);
  head_.store(head + 1, std::memory_order_release);
}

// The last slot is kept for a run of overload.
bool Ledger::has_room() const {
  return head_.load(std::memory_order_relaxed) - header().tail.load(std::memory_order_acquire) + 1 < slots_;
}

// `count` strokes more in the run that fills the last slot. False where there is none, or the writer has closed it.
bool Ledger::grow_run(const TriggerStamp& stamp, uint64_t count) {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == 0) return false;
  Slot& s = slot(head - 1);
  if (s.tag.load(std::memory_order_relaxed) != tag_of(head - 1, kRun)) return false;
  uint64_t word = s.run.load(std::memory_order_relaxed);
  const RunLength run = length_of(word);
  if ((word & kRunClosed) != 0 || run.count + count >= kRunMask) return false;
  const bool counts_on = run.cycled == run.count && stamp.plc_cycle == s.record.plc_cycle + run.count;
  const uint64_t grown = word + count + (counts_on && s.record.plc_cycle != 0 ? 0 : count << kUncycledShift);
  if (!s.run.compare_exchange_strong(word, grown, std::memory_order_acq_rel)) return false;
  advance(next_id_.load(std::memory_order_relaxed) + count - 1, stamp.plc_cycle == 0 ? 0 : stamp.plc_cycle + count - 1);
  return true;
}

std::optional<LedgerEntry> Ledger::peek(size_t index) {
  const uint64_t head = head_.load(std::memory_order_acquire);
  const uint64_t sequence = header().tail.load(std::memory_order_relaxed) + index;
  if (sequence >= head) return std::nullopt;
  Slot& s = slot(sequence);
  const uint64_t tag = s.tag.load(std::memory_order_acquire);
  if (tag == tag_of(sequence, kDamaged)) return LedgerEntry{.first = {}, .count = 0, .cycled = 0};
  if (tag == tag_of(sequence, kDecided)) return LedgerEntry{.first = s.record, .count = 1, .cycled = 1};
  if (tag != tag_of(sequence, kRun)) return std::nullopt;
  const bool may_grow = (s.run.load(std::memory_order_relaxed) & kRunClosed) == 0;
  // Closed while the slots before it are still taken, it would leave the stroke thread without a place.
  if (may_grow && index > 0 && sequence + 1 == head) return std::nullopt;
  const RunLength run = length_of(s.run.fetch_or(kRunClosed, std::memory_order_acq_rel));
  return LedgerEntry{.first = s.record, .count = run.count, .cycled = run.cycled};
}

void Ledger::release(size_t entries) {
  header().tail.store(header().tail.load(std::memory_order_relaxed) + entries, std::memory_order_release);
}

size_t Ledger::backlog() const {
  const uint64_t tail = header().tail.load(std::memory_order_acquire);
  return head_.load(std::memory_order_acquire) - tail;
}

Status Ledger::keep_reserve() {
  Header& h = header();
  const uint64_t next = next_id_.load(std::memory_order_relaxed);
  if (next + kIdReserve / 2 <= h.reserved_until.load(std::memory_order_relaxed)) return {};
  h.reserved_until = next + kIdReserve;
  return file_.sync(kHeaderBytes);
}

Status Ledger::mark_clean() {
  MW_CHECK_OK(file_.sync(file_.size()));
  header().clean = 1;
  return file_.sync(kHeaderBytes);
}

}  // namespace millwright::edge
