// SPDX-License-Identifier: Apache-2.0
// From the journals into the outbox. Runs behind the record writers, on a thread of its own: whatever the outbox does,
// records are written; when it is back, the feeder goes on where it stood.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "edge/outbox/journal_reader.h"
#include "edge/outbox/outbox.h"
#include "model/stroke_record.h"

namespace millwright::edge {

struct FeedSource {
  std::string asset;
  std::filesystem::path records;  // the journal's folder
  uint64_t durable_id = 0;        // the journal's last line at the start
};

struct FeederFigures {
  uint64_t scores = 0;
  uint64_t alerts = 0;
  uint64_t missing = 0;     // strokes that the journal no longer had
  uint64_t unreadable = 0;  // lines that are no records
  uint64_t failures = 0;
  std::string last_error;  // empty: the last round went well
};

inline constexpr int64_t kFinishNs = 2'000'000'000;

class Feeder {
 public:
  // The outbox need not be open; both must outlive the feeder.
  Feeder(Outbox& outbox, std::vector<FeedSource> sources, const Clock& clock);
  ~Feeder();
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // The record writer's listener: this stroke of source `index` is durable in the journal. Never waits.
  void note(size_t index, uint64_t stroke_id) noexcept;

  void start();
  // Feeds what is left, at most for kFinishNs, and ends the thread.
  void finish();

  // One round over all sources that are not paused: how many records went in. Opens the outbox where it is closed; an
  // error is the outbox's. A source that fails by itself is paused, longer each time, and shows in figures().
  Result<uint64_t> feed();

  [[nodiscard]] FeederFigures figures() const;

 private:
  struct Source {
    FeedSource source;
    std::atomic<uint64_t> durable{0};
    std::atomic<uint64_t> first_noted{0};  // the first new stroke of this run; 0: none yet
    std::optional<uint64_t> mark;          // what was fed before this run
    bool counting_known = false;           // whether the count goes on from there
    std::unique_ptr<JournalReader> reader;
    uint64_t last = 0;  // fed
    Status state;       // how its last round went
    int64_t pause_ns = 0;
    int64_t paused_until_ns = 0;
    bool alarm = false;
    signal::SensorFault fault = signal::SensorFault::kNone;
  };
  Result<uint64_t> feed_source(Source& source);
  void settle(Source& source, const Status& fed);
  Status check_counting(Source& source);
  bool is_alert(Source& source, const model::StrokeRecord& record) const;
  void run();

  Outbox& outbox_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Source>> sources_;
  Descriptor event_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> finish_by_ns_{0};
  mutable std::mutex mutex_;
  FeederFigures figures_;
  std::thread thread_;
};

}  // namespace millwright::edge
