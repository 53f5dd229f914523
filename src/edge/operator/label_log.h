// SPDX-License-Identifier: Apache-2.0
// What operators said of calls: true, nuisance or unknown. JSON lines, one per label, each durable before it is
// confirmed; the last line about a stroke counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace millwright::edge {

inline constexpr uint64_t kMaxLabelBytes = 16 << 20;

class LabelLog {
 public:
  LabelLog(std::filesystem::path file, std::string asset_id, const Clock& clock)
      : file_(std::move(file)), asset_id_(std::move(asset_id)), clock_(clock) {}

  // {"timestamp","asset_id","stroke_id","label"}. kInvalidInput: no such label, or no stroke; kTooLarge: the file is
  // full; kIo. Any thread.
  Status add(uint64_t stroke_id, std::string_view label);

 private:
  const std::filesystem::path file_;
  const std::string asset_id_;
  const Clock& clock_;
  std::mutex mutex_;
};

}  // namespace millwright::edge
