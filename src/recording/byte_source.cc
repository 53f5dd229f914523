// SPDX-License-Identifier: Apache-2.0
#include "recording/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millwright::recording {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

std::unexpected<Error> fail_errno(std::string_view what) {
  const int error = errno;
  return fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: {}", what, std::strerror(error));
}

}  // namespace

Result<FileSource> FileSource::open(const std::filesystem::path& path, uint64_t limit_bytes) {
  // Not blocking, so that a pipe in a folder of recordings cannot hang the reader.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return fail_errno("cannot open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno("cannot stat");
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalidInput, "not a regular file");
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > limit_bytes) {
    return fail(ErrorCode::kTooLarge, "{} bytes, the limit is {}; cut it into several files", size, limit_bytes);
  }
  return FileSource(std::move(file), size);
}

Status FileSource::read_at(uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("cannot read");
    if (n == 0) return fail(ErrorCode::kCorrupt, "ends at byte {}, more was expected", offset);
    offset += static_cast<uint64_t>(n);
    into = into.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status MemorySource::read_at(uint64_t offset, std::span<std::byte> into) {
  if (offset > bytes_.size() || into.size() > bytes_.size() - offset) {
    return fail(ErrorCode::kCorrupt, "ends at byte {}, more was expected", bytes_.size());
  }
  std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), into.size(), into.begin());
  return {};
}

Status LineReader::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old = buffer_.size();
  const auto count = static_cast<size_t>(std::min<uint64_t>(kChunkBytes, source_.size() - offset_));
  buffer_.resize(old + count);
  MW_CHECK_OK(source_.read_at(offset_, std::as_writable_bytes(std::span(buffer_).subspan(old))));
  offset_ += count;
  return {};
}

std::string_view LineReader::take(size_t bytes, size_t with_end) {
  std::string_view text = std::string_view(buffer_).substr(begin_, bytes);
  begin_ += with_end;
  ++line_;
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Result<std::optional<std::string_view>> LineReader::next() {
  size_t searched = begin_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) return take(end - begin_, end - begin_ + 1);
    const size_t pending = buffer_.size() - begin_;
    if (pending > kMaxLineBytes) {
      return fail(ErrorCode::kTooLarge, "line {} is longer than {} bytes", line_ + 1, kMaxLineBytes);
    }
    if (offset_ == source_.size()) {
      if (pending == 0) return std::optional<std::string_view>();
      return take(pending, pending);
    }
    MW_CHECK_OK(fill());
    searched = pending;
  }
}

Result<uint64_t> count_line_feeds(ByteSource& source) {
  std::vector<std::byte> chunk(static_cast<size_t>(std::min<uint64_t>(kChunkBytes, source.size())));
  uint64_t count = 0;
  for (uint64_t offset = 0; offset < source.size(); offset += chunk.size()) {
    const auto part =
        std::span(chunk).first(static_cast<size_t>(std::min<uint64_t>(chunk.size(), source.size() - offset)));
    MW_CHECK_OK(source.read_at(offset, part));
    count += static_cast<uint64_t>(std::ranges::count(part, std::byte{'\n'}));
  }
  return count;
}

std::string in_quotes(std::string_view text) {
  constexpr size_t kMaxShown = 40;
  std::string shown = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return shown + (text.size() > kMaxShown ? "...'" : "'");
}

}  // namespace millwright::recording
