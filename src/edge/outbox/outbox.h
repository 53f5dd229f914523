// SPDX-License-Identifier: Apache-2.0
// Store and forward: what the box has to say, kept until somebody has it. One file of fixed size whose blocks exist,
// one ring for each stream; what append() took survives SIGKILL and power cuts, and nothing waits for a network.
// FORMAT.md has the file, design note 0003 the reasons.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "edge/outbox/block_file.h"
#include "edge/outbox/layout.h"
#include "edge/outbox/ring.h"
#include "edge/outbox/side_file.h"
#include "edge/outbox/templates.h"

namespace millwright::edge {

struct StreamOptions {
  uint64_t bytes = 0;  // of its ring; multiple of 8
  int64_t ttl_s = 0;   // counted while the store is open; 0: for ever
  bool drop_oldest = true;
  bool deltas = true;  // store payloads as differences; false: as they are
};

struct OutboxOptions {
  std::filesystem::path folder;     // outbox.log, outbox.quarantine, outbox.dead; empty: no side files
  outbox::OpenBlockFile open_file;  // default: folder / outbox.log
  std::array<StreamOptions, kStreams> streams = {{
      {.bytes = 18 << 20, .ttl_s = 31 * 86'400, .drop_oldest = false},  // a month's outage, and a day to tell it
      {.bytes = 40 << 20, .ttl_s = 72 * 3'600},
      {.bytes = 2 << 20, .ttl_s = 72 * 3'600},
      {.bytes = 2 << 20, .ttl_s = 24 * 3'600},
      {.bytes = (3 << 19), .ttl_s = 7 * 86'400, .deltas = false},
  }};
  uint32_t max_refusals = 100;        // then a message is a dead letter; at most 255
  uint64_t max_side_bytes = 1 << 20;  // of quarantine and of dead letters
  // What was acknowledged since the last checkpoint is delivered again after a kill: at most so much, as far as tick()
  // comes by.
  int64_t checkpoint_every_ns = 60'000'000'000;
  uint64_t checkpoint_every_acknowledged = 256;
  double expected_scores_per_s = 1.0;  // for the headroom, until a rate was seen
};

struct Message {
  Stream stream = Stream::kScores;
  std::string_view asset;  // empty: of the box itself
  uint64_t stroke_id = 0;
  int64_t wall_ns = 0;  // a label
  std::string_view payload;
};

struct StoredMessage {
  Stream stream = Stream::kScores;
  uint64_t sequence = 0;
  std::string boot_id;  // of the start that stored it
  std::string asset;
  uint64_t stroke_id = 0;
  int64_t wall_ns = 0;
  int64_t age_s = 0;  // time the store has seen pass since
  std::string payload;
};

struct AppendReport {
  uint64_t first_sequence = 0;  // of the messages that were stored, in their order
  uint64_t stored = 0;
  uint64_t refused = 0;  // no room in a ring that does not give up its oldest; counted as dropped (full)
};

struct StreamFigures {
  uint64_t messages = 0;
  uint64_t bytes = 0;  // that messages take
  uint64_t capacity = 0;
  std::array<uint64_t, kDropReasons> drops{};
  uint64_t delivered = 0;
};

struct OutboxFigures {
  bool open = false;
  std::array<StreamFigures, kStreams> streams;
  uint64_t bytes = 0;           // of the whole file
  uint64_t headroom_bytes = 0;  // free in the ring of scores
  double headroom_s = 0.0;      // until scores give up their oldest, at the rate of the last hour
  uint64_t quarantined = 0;     // damaged places found, since the start
  uint64_t unreadable = 0;      // reads that failed, since the start
  std::string last_error;       // empty: none since it was opened
};

// Several threads may use it: appending ones take turns and wait for the disk; the others do not wait for the sync of a
// batch or of a checkpoint that is due.
class Outbox {
 public:
  Outbox(OutboxOptions options, const Clock& clock);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Opens the file, or makes it, and finds what waits; again after the store closed itself. Each opening has a boot id
  // of its own. kIo: the disk failed, try again later: what it cannot read at the fourth attempt is counted as damaged.
  // A file that is no outbox is set aside, not overwritten.
  Status open();

  // One group commit: when it returns without error all that it counts as stored survives a power cut. After a failed
  // write or sync the store is closed and every call gives kUnavailable until open() has read back what the disk has:
  // what was not reported as stored may be there or not, whole batches only; ask highest_stroke().
  Result<AppendReport> append(std::span<const Message> messages);

  // Messages of this stream that wait, oldest first, with sequences above `after`. What the disk cannot read is passed
  // over; kIo where it can read none of them.
  Result<std::vector<StoredMessage>> read(Stream stream, uint64_t after, size_t max_messages);
  // They need not be kept any longer; returns how many were waiting. Other boots' and unknown ones are ignored. It is
  // remembered with the next checkpoint: a kill before that delivers them again.
  size_t acknowledge(std::string_view boot_id, std::span<const uint64_t> sequences);
  // Somebody said that this one will not be taken. After max_refusals it is a dead letter: written aside and dropped.
  // Alerts stay where they cannot be written aside.
  void refuse(std::string_view boot_id, uint64_t sequence);

  // This asset's strokes are counted from the beginning again: highest_stroke() is 0 until the next one is stored. What
  // waits stays. Durable when it returns.
  Status count_anew(std::string_view asset);

  // Every few seconds, from any thread: lets messages expire, keeps the checkpoint fresh. Waits for the disk.
  Status tick();

  // The highest stroke of this asset ever stored in this stream, 0: none. Outlives delivery and restarts.
  [[nodiscard]] uint64_t highest_stroke(std::string_view asset, Stream stream) const;
  // Of the message stored last, 0: none ever; later ones have higher sequences.
  [[nodiscard]] uint64_t last_sequence() const;
  [[nodiscard]] std::string boot_id() const;
  // Never waits: while the store is busy with its disk, what it was before.
  [[nodiscard]] OutboxFigures figures();
  [[nodiscard]] bool is_open() const;

 private:
  struct Planned {
    size_t stream;
    size_t offset;  // in pending_[stream]
    uint16_t model;
    uint16_t asset;
    uint64_t stroke_id;
  };
  // outbox_open.cc
  Status open_locked();
  Status format(outbox::BlockFile& file);
  Status read_checkpoints(outbox::BlockFile& file, bool& found);
  Status recover();
  Status judge_reading(const std::array<outbox::RingScan, kStreams>& scans);
  void take_scan(size_t stream, const outbox::RingScan& scan);
  void quarantine(size_t stream, const outbox::Gap& gap);
  Status fill_gap(size_t stream, const outbox::Gap& gap);
  Status begin_boot();
  // outbox_append.cc
  Status check(std::span<const Message> messages) const;
  Status plan(std::span<const Message> messages, AppendReport& report);
  Status plan_one(const Message& message, AppendReport& report);
  Result<uint16_t> asset_index(std::string_view name);
  void seal_batch();
  Status write_batch();
  void commit_batch();
  Result<bool> make_room(size_t stream, uint64_t needed);
  Result<bool> move_first(size_t stream);
  Status checkpoint();
  [[nodiscard]] std::string prepare_checkpoint();
  Status write_checkpoint(std::string_view bytes);
  Status end_checkpoint(const Status& written);
  std::unexpected<Error> close_on(Error error);
  // outbox.cc
  void drop(size_t stream, outbox::Entry& entry, DropReason reason);
  void expire();
  Result<StoredMessage> load(size_t stream, const outbox::Entry& entry);
  [[nodiscard]] outbox::Entry* find(std::string_view boot_id, uint64_t sequence, size_t& stream);
  [[nodiscard]] std::string boot_of(uint64_t sequence) const;
  [[nodiscard]] uint64_t observed_ns() const;
  [[nodiscard]] uint32_t observed_s() const;
  void note_rate(uint64_t score_bytes);

  OutboxOptions options_;
  const Clock& clock_;
  outbox::SideFile quarantine_;
  outbox::SideFile dead_letters_;
  std::mutex writing_;        // taken first: one batch at a time
  mutable std::mutex mutex_;  // all below; not held while a batch is written and synced
  std::unique_ptr<outbox::BlockFile> file_;
  std::atomic<bool> open_{false};  // written under both locks
  std::string last_error_;
  outbox::Checkpoint state_;  // what the next checkpoint will say
  std::array<outbox::RingBytes, kStreams> bytes_;
  std::array<outbox::Ring, kStreams> rings_;
  outbox::Templates templates_;
  int64_t opened_ns_ = 0;
  uint64_t observed_before_ns_ = 0;  // up to opened_ns_
  int64_t last_checkpoint_ns_ = 0;
  uint64_t acknowledged_ = 0;  // since then
  uint64_t quarantined_ = 0;
  uint64_t unreadable_ = 0;
  uint32_t unread_openings_ = 0;  // in a row, each given up because something could not be read
  double rate_ = 0.0;             // bytes of scores per second
  int64_t rate_since_ns_ = 0;
  uint64_t rate_bytes_ = 0;
  std::mutex shown_mutex_;  // taken last
  OutboxFigures shown_;
  // The batch being made; `writing_` guards them.
  std::vector<Planned> planned_;
  uint32_t planned_age_s_ = 0;
  std::array<std::string, kStreams> pending_;
};

}  // namespace millwright::edge
