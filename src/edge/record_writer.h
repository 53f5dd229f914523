// SPDX-License-Identifier: Apache-2.0
// The thread between the ledger and the journal: writes what is decided, makes it durable, gives the slots back. When
// the disk fails it keeps trying; the strokes meanwhile fill the ledger, never wait for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "edge/journal.h"
#include "edge/ledger.h"
#include "edge/record_lines.h"

namespace millwright::edge {

class RecordWriter {
 public:
  // Sees every record once, on the writer's thread, after it is durable.
  using Listener = std::function<void(const model::StrokeRecord&)>;

  // All references must outlive the writer. `journal_last_id`: strokes up to it are in the journal already.
  RecordWriter(Ledger& ledger, RecordSink& sink, RecordLines& lines, uint64_t journal_last_id, Listener listener = {});
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void start();
  // The stroke thread: there is something to write. A system call only where the writer sleeps; never waits.
  void wake() noexcept;
  // After the stroke thread ended: writes all that is left, at most `patience_ms`, and ends the thread. An error where
  // strokes are left in the ledger; the next start writes them.
  Status finish(int64_t patience_ms);

  // One round, for a test or campaign that has no writer thread: lines written.
  Result<uint64_t> drain();

  [[nodiscard]] uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string last_error() const;

 private:
  void run();
  void sleep(int timeout_ms);
  Status add(const LedgerEntry& entry);
  Status flush();

  Ledger& ledger_;
  RecordSink& sink_;
  RecordLines& lines_;
  Listener listener_;
  Descriptor event_;
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> failures_{0};
  uint64_t last_written_id_;
  std::string text_;  // lines gathered, not yet durable
  std::vector<model::StrokeRecord> gathered_;
  mutable std::mutex mutex_;
  std::string last_error_;
  std::thread thread_;
};

}  // namespace millwright::edge
