// SPDX-License-Identifier: Apache-2.0
// Reads recordings from files: the same for training on the workstation and for playing them back on the box.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::recording {

inline constexpr uint64_t kMaxFileBytes = 4ULL << 30;
inline constexpr size_t kMaxChannels = 64;
inline constexpr size_t kMaxFiles = 100'000;

struct ReadOptions {
  std::optional<double> rate_hz;     // for formats that do not carry it; where a file carries another: kInvalidInput
  double scale = 1.0;                // physical units per count, for .i16 and integer .npy
  std::string variable;              // for .mat; empty: the only numeric variable, else kInvalidInput lists them
  std::vector<std::string> columns;  // for .csv: which columns are channels; empty: every numeric column but time
  std::vector<std::string> skip_columns;  // for .csv, labels for instance
};

// Either one long recording to be windowed (windows == 0), or `windows` windows of equal length.
struct Recording {
  std::filesystem::path path;
  double rate_hz = 0.0;  // 0: unknown
  size_t channels = 1;
  size_t length = 0;  // samples per channel, of the recording or of one window
  size_t windows = 0;
  std::vector<std::string> channel_names;  // empty where the format has none
  std::vector<float> samples;              // planar: recording: [channel][sample]; windows: [window][channel][sample]

  [[nodiscard]] std::span<const float> channel(size_t c) const {
    return std::span(samples).subspan(c * length, length);
  }
  [[nodiscard]] std::span<const float> window(size_t w) const {
    return std::span(samples).subspan(w * channels * length, channels * length);
  }
};

// One file; its kind is told by its ending (.npy .csv .wav .mat .f32 .i16). The message names file and place
// ("press.csv: line 17, column 3: 'x' is not a number"). NaN and Inf are read as they are.
Result<Recording> read_recording(const std::filesystem::path& path, const ReadOptions& options = {});

// A file, or every recording of a folder (sorted by name, not recursive; other files are passed over). An empty folder
// is kInvalidInput.
Result<std::vector<std::filesystem::path>> list_recordings(const std::filesystem::path& path);

// Writes `windows` as .npy of float32, shape (n, length) or (n, channels, length), atomically.
Status write_npy(const std::filesystem::path& path, std::span<const float> samples, std::vector<size_t> shape);

}  // namespace millwright::recording
