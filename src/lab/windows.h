// SPDX-License-Identifier: Apache-2.0
// Recordings cut into the windows that are learned from or judged, each knowing where it came from.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "recording/recording.h"
#include "signal/features.h"
#include "signal/window.h"

namespace millwright::lab {

struct CutOptions {
  recording::ReadOptions reading;
  std::optional<size_t> window;    // samples; must be stated for long recordings, must agree with files of windows
  std::optional<size_t> hop;       // samples; default: the window, so that windows do not overlap
  std::optional<size_t> resample;  // the axis is not time: every window is stretched to this many points
};

struct Origin {
  size_t file = 0;          // index into WindowSet::files
  size_t index = 0;         // of the window in its file, from 0
  size_t first_sample = 0;  // in a long recording
  double start_s = 0.0;     // in a long recording with a rate
};

struct WindowSet {
  size_t channels = 1;
  size_t length = 0;     // samples per channel and window
  double rate_hz = 0.0;  // 0: unknown, or resampled
  size_t hop = 0;        // of long recordings; 0 where windows stand alone
  std::vector<std::string> channel_names;
  std::vector<std::filesystem::path> files;
  std::vector<Origin> origins;
  std::vector<float> samples;  // planar, window after window

  [[nodiscard]] size_t size() const { return origins.size(); }
  [[nodiscard]] signal::Window window(size_t i) const {
    return {.samples = std::span(samples).subspan(i * channels * length, channels * length),
            .channels = channels,
            .length = length,
            .rate_hz = rate_hz};
  }
  // Windows of the same file before and after a window that share samples with it.
  [[nodiscard]] size_t overlap() const { return hop == 0 || hop >= length ? 0 : (length - 1) / hop; }
};

// Reads files and folders. kInvalidInput names the file and the place: an empty folder, files that differ in rate or
// channels, a recording shorter than a window, NaN or Inf. A long recording without `window` is one window where it is
// resampled, else an error.
Result<WindowSet> load_windows(std::span<const std::filesystem::path> paths, const CutOptions& options);

// (windows, features), row after row. The windows have the spec's shape; kInvalidInput names the window whose features
// are not finite.
Result<std::vector<float>> extract_features(const signal::FeatureSpec& spec, const WindowSet& windows);

// SHA-256 over the shape and all samples, 64 hexadecimal digits: which data a model saw.
std::string data_digest(const WindowSet& windows);

}  // namespace millwright::lab
