// SPDX-License-Identifier: Apache-2.0
// A file of fixed size mapped shared and writable: stores into it reach the file even if the process is killed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/error.h"

namespace millwright::edge {

class MappedFile {
 public:
  // Creates the file where there is none; one of another size becomes `bytes` long (new bytes are zero). The blocks
  // are allocated at once, so that a full disk is an error here and not a bus error later.
  static Result<MappedFile> open(const std::filesystem::path& path, size_t bytes);
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }
  // Bytes the file had before it was opened; 0: it was created.
  [[nodiscard]] size_t former_size() const { return former_size_; }
  // Waits until the disk has the first `bytes`.
  [[nodiscard]] Status sync(size_t bytes) const;

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t former_size_ = 0;
};

}  // namespace millwright::edge
