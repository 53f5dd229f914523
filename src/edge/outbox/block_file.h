// SPDX-License-Identifier: Apache-2.0
// The file below the outbox, as a seam: a test double drops what was not synced, tears writes and fills up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"

namespace millwright::edge::outbox {

class BlockFile {
 public:
  virtual ~BlockFile() = default;
  [[nodiscard]] virtual uint64_t size() const = 0;
  // All of it or an error.
  virtual Status read(uint64_t offset, std::span<std::byte> bytes) = 0;
  virtual Status write(uint64_t offset, std::span<const std::byte> bytes) = 0;
  // What was written before survives a power cut; after an error nobody knows what does.
  virtual Status sync() = 0;
  // The file becomes `bytes` zeros whose blocks are written, so that later writes need no space and no new extents.
  virtual Status allocate(uint64_t bytes) = 0;
  // Keeps what is there under another name and goes on with an empty file.
  virtual Status set_aside() = 0;
};

using OpenBlockFile = std::function<Result<std::unique_ptr<BlockFile>>()>;

// A real file, created where there is none. What an earlier process left in the page cache is synced and then read
// from the disk again, since after a failed sync the cache may hold what the disk does not.
OpenBlockFile block_file_at(const std::filesystem::path& path);

// The name of the file system where it never overwrites blocks in place (copy on write): there a file that has its
// blocks may still fail for want of space. Empty where it does.
std::string_view copy_on_write(const std::filesystem::path& folder);

}  // namespace millwright::edge::outbox
