// SPDX-License-Identifier: Apache-2.0
// Files, read whole and bounded, written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millwright {

using Bytes = std::vector<std::byte>;

// Reads a regular file of at most `limit_bytes`. kNotFound, kTooLarge or kIo; the message names the path.
Result<Bytes> read_file(const std::filesystem::path& path, uint64_t limit_bytes);
Result<std::string> read_text_file(const std::filesystem::path& path, uint64_t limit_bytes);

// Replaces `path` by `bytes`, atomically and durably: writes a temporary beside it, syncs it, renames it, syncs the
// folder. On error the old file stands untouched and no temporary is left; only where the folder cannot be synced the
// new one may be there already.
Status write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
Status write_file_atomic(const std::filesystem::path& path, std::string_view text);

// Syncs a folder, so that a rename in it survives a power cut.
Status sync_folder(const std::filesystem::path& folder);

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace millwright
