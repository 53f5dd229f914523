// SPDX-License-Identifier: Apache-2.0
// The one place that touches matio; it runs in a child process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "recording/isolated.h"

namespace millwright::recording {

inline constexpr size_t kMaxMatText = 4096;

// What the child answers first. Then come `text_bytes` of text, then, where `code` is 0, rows * columns floats, column
// after column.
struct MatReply {
  uint32_t magic = 0;
  uint32_t code = 0;  // 0, or an ErrorCode + 1 with its message as text
  uint64_t rows = 0;
  uint64_t columns = 0;
  uint64_t text_bytes = 0;
};
inline constexpr uint32_t kMatMagic = 0x4d41544d;

// Loads matio into this process, once; kUnavailable where it is not installed. Not linked, because it brings HDF5, curl
// and thirty more libraries (7 MB of resident memory) into programs that hardly ever read a .mat file.
Status load_mat_library();

// In the child: reads `variable` of `path` (empty: the only one that can be a recording) and answers.
void answer_mat(const std::filesystem::path& path, const std::string& variable, uint64_t file_bytes, Reply& reply);

}  // namespace millwright::recording
