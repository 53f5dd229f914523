// SPDX-License-Identifier: Apache-2.0
// The CWRU bearing recordings, with noise added and the level taken away.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/windows.h"

namespace millwright::results {

struct BearingRecording {
  std::filesystem::path file;
  std::string group;    // "48k_DE", "12k_DE", "normal"
  std::string channel;  // "DE", "FE"
  std::string fault;    // "ball", "inner", "outer", "normal"
  int diameter_mil = 0;
  int load_hp = 0;
  double rate_hz = 0.0;
  double scale = 1.0;
  std::vector<float> samples;
};

// The drive-end channel of every recording, in the order of the index.
Result<std::vector<BearingRecording>> load_cwru(const std::filesystem::path& folder);

// Windows of `length` samples that do not overlap, from the share [from, to) of the recording. White noise is added at
// `snr_db` against the recording's own power (nullopt: none), drawn by `seed`; then, unless `keep_level`, every window
// is brought to unit RMS, so that nothing can be told by how loud it is.
struct Cut {
  size_t length = 2048;
  double from = 0.0;
  double to = 1.0;
  std::optional<double> snr_db;
  bool keep_level = false;
  uint64_t seed = 1;
};
lab::WindowSet cut(const BearingRecording& recording, const Cut& how);

// Appends the windows of `more`.
void append(lab::WindowSet& set, const lab::WindowSet& more);

}  // namespace millwright::results
