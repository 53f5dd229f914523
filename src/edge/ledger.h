// SPDX-License-Identifier: Apache-2.0
// Why a killed agent loses no stroke: a memory-mapped ring of plain records. The stroke thread marks a stroke as opened
// at its trigger and fills it in at its verdict, by stores alone; the pages are the kernel's, so they outlive SIGKILL.
// A writer thread turns what is decided into journal lines and then releases the slots. FORMAT.md has the layout and
// what it does not protect against.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "edge/alarm.h"
#include "edge/mapped_file.h"
#include "model/stroke_record.h"

namespace millwright::edge {

inline constexpr size_t kMinLedgerSlots = 4;
inline constexpr size_t kMaxLedgerSlots = 1 << 20;
inline constexpr size_t kDefaultLedgerSlots = 1024;
// Ids set aside on disk before they are used, so that a power cut cannot make one be used twice.
inline constexpr uint64_t kIdReserve = 4096;

struct LedgerOptions {
  std::filesystem::path path;
  size_t slots = kDefaultLedgerSlots;
  std::string boot_id;
  // The last complete line of the journal; 0 where there is none.
  uint64_t journal_last_id = 0;
  uint64_t journal_last_cycle = 0;
};

// What opening found; each is counted and logged by the caller.
struct LedgerRecovery {
  uint64_t restarted = 0;      // opened before, never decided: now NO_VERDICT(restart)
  uint64_t undrained = 0;      // decided before, not yet in the journal
  uint64_t strokes = 0;        // in these two together, not counting what the journal has already
  uint64_t damaged_slots = 0;  // failed their checksum (power cut)
  uint64_t ids_skipped = 0;    // passed over so that none is used twice
  std::string moved_aside;     // where an unreadable ledger was put; empty: it was readable
  size_t kept_slots = 0;       // other than asked for: the file has so many, and keeps them; 0: as asked for
};

// When and where a trigger happened.
struct TriggerStamp {
  uint64_t plc_cycle = 0;  // 0: none
  int64_t wall_ns = 0;
  int64_t monotonic_ns = 0;
};

// Strokes first.stroke_id .. + count - 1 that share one fate; the first `cycled` of them count PLC cycles upward, the
// others have none. A damaged slot has count 0.
struct LedgerEntry {
  model::StrokeRecord first;
  uint64_t count = 1;
  uint64_t cycled = 0;
};

class Ledger {
 public:
  // Maps the file, creates it where there is none, and makes every stroke that was opened but not decided a
  // NO_VERDICT(restart). A file that fails its checks is moved aside, never overwritten; one with another
  // number of slots goes on with its own.
  static Result<Ledger> open(const LedgerOptions& options);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) = delete;

  // --- the stroke thread; none of these allocates, locks, waits or fails ---

  struct Opened {
    uint64_t stroke_id = 0;
    bool kept = false;   // false: no slot is free; the stroke is already counted as NO_VERDICT(overload)
    uint64_t place = 0;  // of its slot, where it is kept
  };
  Opened open_stroke(const TriggerStamp& stamp);
  // Completes a stroke that was opened and kept; fills in nothing but what `record` says. Several may be open at a
  // time; the writer waits for the oldest.
  void decide(const Opened& opened, const model::StrokeRecord& record);
  // `count` strokes with cycles stamp.plc_cycle .. that share one reason, at once; where no slot is free they are
  // counted as overload.
  void add_run(model::Reason reason, const TriggerStamp& stamp, uint64_t count);
  // Strokes whose ids were used and for which even a run had no place left (2^31 strokes while nothing was written).
  [[nodiscard]] uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  // The alarm of the newest stroke, over restarts; zero in a new ledger.
  void keep_alarm(const AlarmMemory& memory);
  [[nodiscard]] AlarmMemory alarm() const;
  // The PLC cycle of the newest stroke, over restarts; 0: none.
  [[nodiscard]] uint64_t last_cycle() const { return last_cycle_; }
  [[nodiscard]] size_t slots() const { return slots_; }
  [[nodiscard]] uint64_t next_id() const { return next_id_.load(std::memory_order_relaxed); }

  // --- the writer thread ---

  // The entry `index` places after the oldest one kept, if it is ready to be written.
  [[nodiscard]] std::optional<LedgerEntry> peek(size_t index);
  // Gives the oldest `entries` slots back; they are in the journal.
  void release(size_t entries);
  // Strokes and runs waiting to be written, opened ones included; any thread, a snapshot.
  [[nodiscard]] size_t backlog() const;
  // Keeps the reserve of ids ahead of the stroke thread; syncs the file when it has to move.
  Status keep_reserve();
  // After the last release: the next start need not skip ids.
  Status mark_clean();

  [[nodiscard]] const LedgerRecovery& recovery() const { return recovery_; }

 private:
  struct Header;
  struct Slot;
  Ledger() = default;

  [[nodiscard]] Slot& slot(uint64_t sequence) const;
  [[nodiscard]] Header& header() const;
  static size_t bytes_of(size_t slots);
  static size_t slots_in(uintmax_t bytes);
  [[nodiscard]] bool readable() const;
  void format(const LedgerOptions& options);
  void recover(const LedgerOptions& options);
  void recover_slots(uint64_t journal_last_id);
  void advance(uint64_t last_id, uint64_t last_cycle);
  [[nodiscard]] bool has_room() const;
  bool grow_run(const TriggerStamp& stamp, uint64_t count);

  MappedFile file_;
  size_t slots_ = 0;
  // Only the stroke thread changes these; the writer reads head_ and next_id_.
  std::atomic<uint64_t> head_{0};
  std::atomic<uint64_t> next_id_{1};
  std::atomic<uint64_t> lost_{0};
  uint64_t last_cycle_ = 0;
  LedgerRecovery recovery_;
};

}  // namespace millwright::edge
