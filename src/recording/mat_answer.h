// SPDX-License-Identifier: Apache-2.0
// What passes between the child that reads a .mat file and its parent, who trusts neither the file nor the child.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/error.h"
#include "recording/byte_source.h"
#include "recording/recording.h"

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

// Samples that a byte of a file can become: deflate reaches 1032 : 1, and HDF5 may pack it twice.
inline constexpr uint64_t kMaxMatExpansion = 8ULL * 1032;

// Fills all of the span with what the child wrote next, or says why it cannot.
using AnswerReader = std::function<Status(std::span<std::byte>)>;

Result<Recording> decode_mat_answer(const AnswerReader& answer, uint64_t file_bytes, const ReadOptions& options);

// What matio does not notice: files of version 5 and 7 that are cut short. Other versions pass.
Status check_mat_elements(ByteSource& source);

}  // namespace millwright::recording
