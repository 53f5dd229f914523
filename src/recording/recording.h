// SPDX-License-Identifier: Apache-2.0
// Reads recordings from files: the same for training on the workstation and for playing them back on the box.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::recording {

inline constexpr uint64_t kMaxFileBytes = 4ULL << 30;
inline constexpr uint64_t kMaxSamples = 1ULL << 30;  // of one recording, all channels and windows; 4 GiB as float
inline constexpr size_t kMaxChannels = 64;
inline constexpr size_t kMaxFiles = 100'000;

struct ReadOptions {
  std::optional<double> rate_hz;  // for formats that do not carry it; where a file carries another: kInvalidInput
  double scale = 1.0;             // physical units per count (.i16, integer .npy), at full scale (integer .wav), else
                                  // per unit of the file; every sample of every format is multiplied by it
  std::string variable;           // for .mat; empty: the only numeric variable, else kInvalidInput lists them
  std::vector<std::string> columns;  // for .csv: which columns are channels, by name (or by number from 1 where there
                                     // is no header); empty: every column but times and a row index
  std::vector<std::string> skip_columns;  // for .csv, labels or texts for instance; named as above
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
  size_t first_line = 0;                   // .csv: the line of sample 0, so that messages can name a line; else 0
  std::vector<std::string> notes;          // what the reader decided by itself and a person should know, one line each

  [[nodiscard]] std::span<const float> channel(size_t c) const {
    return std::span(samples).subspan(c * length, length);
  }
  [[nodiscard]] std::span<const float> window(size_t w) const {
    return std::span(samples).subspan(w * channels * length, channels * length);
  }
};

// One file; its kind is told by its ending (.npy .csv .wav .mat .f32 .i16, in any case). The message names file and
// place ("press.csv: line 17, column 3: 'x' is not a number"). NaN and Inf are read as they are; an empty .csv cell is
// NaN. Needs memory for its samples, and for .mat the variable twice.
Result<Recording> read_recording(const std::filesystem::path& path, const ReadOptions& options = {});

// A file, or every recording of a folder (sorted by name, not recursive; hidden and other files are passed over). An
// empty folder is kInvalidInput.
Result<std::vector<std::filesystem::path>> list_recordings(const std::filesystem::path& path);

// Reads files and folders, in order. All must have the same rate (within 1 in 1,000, since a rate out of time stamps is
// an estimate), the same channels and, where they hold windows, the same window length; otherwise kInvalidInput names
// the two files that differ. All together hold at most kMaxFiles files and kMaxSamples samples.
Result<std::vector<Recording>> read_all(std::span<const std::filesystem::path> paths, const ReadOptions& options = {});

// Where a sample is: `window` counts from 0 and is 0 in a long recording.
struct Place {
  size_t window = 0;
  size_t channel = 0;
  size_t sample = 0;
};

// The first NaN or Inf, in time order of a long recording, in order of windows else.
std::optional<Place> find_not_finite(const Recording& recording);

// "press.csv: line 17, column 'Pressure'" or "press.npy: window 3, channel 1, sample 120" (counted from 0).
std::string describe(const Recording& recording, const Place& place);

// Writes `samples` as .npy of float32 in C order, for instance of shape (n, length) or (n, channels, length),
// atomically. The product of `shape` must be the number of samples.
Status write_npy(const std::filesystem::path& path, std::span<const float> samples, std::vector<size_t> shape);

}  // namespace millwright::recording
