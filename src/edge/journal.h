// SPDX-License-Identifier: Apache-2.0
// Stroke records on disk: JSON lines in files of bounded size, named by their first stroke, the oldest removed first.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::edge {

// Where whole lines go; after append() returns without error they survive a power cut.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // `lines` holds whole lines, each with its newline; the first is about stroke `first_id`. All or nothing.
  virtual Status append(std::string_view lines, uint64_t first_id) = 0;
};

struct JournalOptions {
  uint64_t max_file_bytes = 16 << 20;
  size_t max_files = 64;
};

// The files of a journal, oldest first; the first stroke that a file was begun with, by its name (0: it has none).
Result<std::vector<std::filesystem::path>> journal_files(const std::filesystem::path& folder);
uint64_t first_stroke(const std::filesystem::path& file);

// The last complete line.
struct JournalTail {
  uint64_t stroke_id = 0;
  uint64_t plc_cycle = 0;
  uint64_t torn_bytes = 0;  // of a half-written last line, cut off
};

// Each file has its blocks before it has lines, so that a disk that others fill does not stop it in the middle of one;
// where there is no room for the next file, it takes the place of the oldest.
class Journal final : public RecordSink {
 public:
  // Creates the folder, cuts off a torn last line. kCorrupt where the last line is no stroke record: a person has to
  // look, because going on could use a stroke id twice.
  static Result<Journal> open(const std::filesystem::path& folder, const JournalOptions& options);

  Journal(Journal&& other) noexcept;
  Status append(std::string_view lines, uint64_t first_id) override;
  [[nodiscard]] const JournalTail& tail() const { return tail_; }
  // Removed before their time, because the disk was full.
  [[nodiscard]] uint64_t files_replaced() const { return files_replaced_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t files_removed() const { return files_removed_.load(std::memory_order_relaxed); }

 private:
  Journal(std::filesystem::path folder, const JournalOptions& options)
      : folder_(std::move(folder)), options_(options) {}
  Status read_tail();
  Status read_last_line(uint64_t end);
  Status write_whole(std::string_view lines);
  Status start_file(uint64_t first_id);
  Status reserve();
  bool give_up_oldest();
  void remove_oldest();

  std::filesystem::path folder_;
  JournalOptions options_;
  JournalTail tail_;
  Descriptor file_;
  std::filesystem::path path_;
  uint64_t size_ = 0;         // bytes that are known to be whole lines
  bool tail_broken_ = false;  // bytes beyond size_ may stand there after a failed write
  bool distrusted_ = false;   // a sync failed: no more goes into this file
  // The status asks from another thread.
  std::atomic<uint64_t> files_removed_{0};
  std::atomic<uint64_t> files_replaced_{0};
};

}  // namespace millwright::edge
