// SPDX-License-Identifier: Apache-2.0
// A window on disk: samples as NPY, and beside them a small JSON that says which stroke it was. FORMAT.md has both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::edge {

enum class KeptFor : uint8_t {
  kNormal,  // one of many that were no alerts
  kAround,  // a neighbour of an alert
  kAlert,
};

std::string_view name(KeptFor why);

struct KeptWindow {
  uint64_t stroke_id = 0;
  std::string asset_id;
  std::string timestamp;
  KeptFor why = KeptFor::kNormal;
  std::string verdict;
  double score = 0.0;  // 0 .. 1; NaN: none
  double raw_score = 0.0;
  std::string model;  // digest
  size_t channels = 1;
  size_t length = 0;
  double rate_hz = 0.0;
  std::string label;       // true, nuisance or unknown; empty: nobody has said
  uint64_t npy_bytes = 0;  // a file of another size is torn
};

inline constexpr size_t kMaxKeptJson = 4096;

std::string to_json(const KeptWindow& window);
// kCorrupt for anything that to_json() did not write.
Result<KeptWindow> parse_kept_window(std::string_view text);

// Twenty digits, so that names sort as strokes do.
std::filesystem::path samples_file(const std::filesystem::path& folder, uint64_t stroke_id);
std::filesystem::path facts_file(const std::filesystem::path& folder, uint64_t stroke_id);

}  // namespace millwright::edge
