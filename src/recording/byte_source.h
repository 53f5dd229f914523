// SPDX-License-Identifier: Apache-2.0
// Bytes at an offset, out of a file or of memory: a decoder reads multi-gigabyte files through it without holding them,
// and a fuzz target feeds the same decoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::recording {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual uint64_t size() const = 0;
  // Fills all of `into`. A range beyond the end is kCorrupt: a file may shrink while it is read.
  virtual Status read_at(uint64_t offset, std::span<std::byte> into) = 0;
};

class FileSource final : public ByteSource {
 public:
  // kTooLarge above `limit_bytes`. Messages do not name the path; the caller adds it.
  static Result<FileSource> open(const std::filesystem::path& path, uint64_t limit_bytes);
  [[nodiscard]] uint64_t size() const override { return size_; }
  Status read_at(uint64_t offset, std::span<std::byte> into) override;

 private:
  FileSource(Descriptor file, uint64_t size) : file_(std::move(file)), size_(size) {}
  Descriptor file_;
  uint64_t size_;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }
  Status read_at(uint64_t offset, std::span<std::byte> into) override;

 private:
  std::span<const std::byte> bytes_;
};

// Lines without their end (LF or CR LF). The view is valid until the next call.
class LineReader {
 public:
  static constexpr size_t kMaxLineBytes = 1 << 20;

  explicit LineReader(ByteSource& source) : source_(source) {}
  // No value at the end of the file; kTooLarge for a line above kMaxLineBytes.
  Result<std::optional<std::string_view>> next();
  // The number of the line last returned, from 1.
  [[nodiscard]] size_t line() const { return line_; }

 private:
  Status fill();
  [[nodiscard]] std::string_view take(size_t bytes, size_t with_end);

  ByteSource& source_;
  uint64_t offset_ = 0;  // of the next byte to fetch
  std::string buffer_;
  size_t begin_ = 0;
  size_t line_ = 0;
};

// Line feeds in the whole source.
Result<uint64_t> count_line_feeds(ByteSource& source);

// Foreign text as it may stand in a message: quoted, printable ASCII or UTF-8 bytes only, at most 40 bytes.
std::string in_quotes(std::string_view text);

}  // namespace millwright::recording
