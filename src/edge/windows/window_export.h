// SPDX-License-Identifier: Apache-2.0
// Kept windows as a labelled set that can be learned from and judged against.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "edge/windows/kept_window.h"

namespace millwright::edge {

// The windows of one asset's folder, by stroke; an agent may be at work there. kNotFound or kIo.
Result<std::vector<KeptWindow>> list_windows(const std::filesystem::path& folder);

// What a window is to somebody who learns.
enum class LabelClass : uint8_t {
  kNormal,      // nuisance: a call that was none; or one of the normal sample that nobody has labelled
  kAnomalous,   // true
  kUnlabelled,  // nobody knows
};
LabelClass class_of(const KeptWindow& window);

struct ExportReport {
  uint64_t normal = 0;
  uint64_t anomalous = 0;
  uint64_t unlabelled = 0;
  uint64_t gone = 0;     // given up by the agent, or unreadable, meanwhile
  double rate_hz = 0.0;  // of the newest; 0: a curve
};

// Writes OUT/normal/ASSET.npy, OUT/anomalous/ASSET.npy, OUT/unlabelled/ASSET.npy (those that have windows) and
// OUT/ASSET.jsonl, which says for each row what it is. kInvalidInput where nothing is there or shapes differ, kTooLarge
// beyond 1 GiB.
Result<ExportReport> export_windows(const std::filesystem::path& folder, const std::filesystem::path& out);

}  // namespace millwright::edge
