// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/journal_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "edge/journal.h"

namespace millwright::edge {
namespace {

constexpr size_t kChunkBytes = 256 << 10;
constexpr size_t kMaxLineBytes = 64 << 10;

}  // namespace

uint64_t stroke_of(std::string_view line) {
  constexpr std::string_view kKey = "\"stroke_id\":";
  const size_t at = line.find(kKey);
  if (at == std::string_view::npos) return 0;
  uint64_t id = 0;
  const char* begin = line.data() + at + kKey.size();
  const auto [end, error] = std::from_chars(begin, line.data() + line.size(), id);
  return error == std::errc() ? id : 0;
}

// The last file that does not begin behind what is wanted, or the oldest.
Status JournalReader::open_first() {
  const auto files = MW_TRY(journal_files(folder_));
  if (files.empty()) return {};
  auto chosen = files.begin();
  for (auto file = files.begin(); file != files.end(); ++file) {
    if (first_stroke(*file) <= next_) chosen = file;
  }
  path_ = *chosen;
  file_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  offset_ = 0;
  buffer_.clear();
  if (!file_.valid()) return fail(ErrorCode::kIo, "{}: cannot open: {}", path_.string(), std::strerror(errno));
  return {};
}

Result<bool> JournalReader::open_next() {
  const auto files = MW_TRY(journal_files(folder_));
  const auto next = std::upper_bound(files.begin(), files.end(), path_);
  if (next == files.end()) return false;
  // What was added to this file before the next one was begun is read first.
  if (MW_TRY(fill())) return true;
  if (!buffer_.empty()) ++unreadable_;
  Descriptor file(::open(next->c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail(ErrorCode::kIo, "{}: cannot open: {}", next->string(), std::strerror(errno));
  file_ = std::move(file);
  path_ = *next;
  offset_ = 0;
  buffer_.clear();
  return true;
}

// Whether there was something more in this file.
Result<bool> JournalReader::fill() {
  const size_t before = buffer_.size();
  buffer_.resize(before + kChunkBytes);
  ssize_t n = 0;
  do {
    n = ::pread(file_.get(), buffer_.data() + before, kChunkBytes, static_cast<off_t>(offset_ + before));
  } while (n < 0 && errno == EINTR);
  buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) return fail(ErrorCode::kIo, "{}: cannot read: {}", path_.string(), std::strerror(errno));
  return n > 0;
}

Result<std::vector<JournalLine>> JournalReader::read(uint64_t durable, size_t max_lines, size_t max_bytes) {
  std::vector<JournalLine> lines;
  if (!file_.valid()) MW_CHECK_OK(open_first());
  size_t bytes = 0;
  while (file_.valid() && next_ <= durable && lines.size() < max_lines && bytes < max_bytes) {
    const size_t end = buffer_.find('\n');
    if (end == std::string::npos) {
      if (buffer_.size() > kMaxLineBytes) {
        ++unreadable_;
        offset_ += buffer_.size();
        buffer_.clear();
      }
      if (MW_TRY(fill())) continue;
      if (!MW_TRY(open_next())) break;
      continue;
    }
    const std::string_view line = std::string_view(buffer_).substr(0, end);
    const uint64_t id = stroke_of(line);
    // Not durable yet: it is read again, for it may be cut off and written once more.
    if (id > durable) {
      buffer_.clear();
      break;
    }
    if (id == 0) ++unreadable_;
    if (id >= next_) {
      lines.push_back({.stroke_id = id, .text = std::string(line)});
      bytes += end;
      next_ = id + 1;
    }
    offset_ += end + 1;
    buffer_.erase(0, end + 1);
  }
  return lines;
}

}  // namespace millwright::edge
