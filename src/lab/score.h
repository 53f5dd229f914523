// SPDX-License-Identifier: Apache-2.0
// Judges recordings with a bundle, window by window, as the box would.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/windows.h"
#include "model/bundle.h"

namespace millwright::lab {

struct ScoreOptions {
  std::vector<std::filesystem::path> recordings;
  recording::ReadOptions reading;
  std::optional<size_t> hop;  // samples; default: the window
};

struct ScoredWindow {
  std::filesystem::path file;
  size_t window = 0;     // in the file, from 0
  double start_s = 0.0;  // in a long recording with a rate
  double raw = 0.0;
  double score = 0.0;  // 0 .. 1, the threshold at 0.5
  bool is_alert = false;
  model::Severity severity = model::Severity::kLow;
  model::Top top;
};

// In the order of the files and of the windows in them. The window length comes from the bundle; curves (a spec without
// a rate) are resampled to it. kInvalidInput where rate, channels or lengths do not fit the bundle.
Result<std::vector<ScoredWindow>> score(const model::Bundle& bundle, const ScoreOptions& options);

// The same for windows that are at hand, of the bundle's shape.
Result<std::vector<ScoredWindow>> score_windows(const model::Bundle& bundle, const WindowSet& windows);

// One JSON line without the newline: file, window, start_s, score, is_alert, severity, top (list of feature and share).
std::string to_json_line(const ScoredWindow& window, const std::vector<std::string>& feature_names);

}  // namespace millwright::lab
