// SPDX-License-Identifier: Apache-2.0
// Follows an asset's journal behind the thread that writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::edge {

struct JournalLine {
  uint64_t stroke_id = 0;
  std::string text;  // without the newline
};

class JournalReader {
 public:
  // Begins with the first line about stroke `from` or a later one.
  JournalReader(std::filesystem::path folder, uint64_t from) : folder_(std::move(folder)), next_(from) {}

  // The lines that come next, about strokes up to `durable`; none: there is nothing new.
  Result<std::vector<JournalLine>> read(uint64_t durable, size_t max_lines, size_t max_bytes);

  // Stretches that are no line of a record, passed over.
  [[nodiscard]] uint64_t unreadable() const { return unreadable_; }

 private:
  Status open_first();
  Result<bool> open_next();
  Result<bool> fill();

  std::filesystem::path folder_;
  uint64_t next_;
  Descriptor file_;
  std::filesystem::path path_;
  uint64_t offset_ = 0;  // of buffer_ in the file
  std::string buffer_;   // read, not yet given away
  uint64_t unreadable_ = 0;
};

// The stroke that a journal's line is about; 0 where it names none.
uint64_t stroke_of(std::string_view line);

}  // namespace millwright::edge
