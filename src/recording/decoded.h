// SPDX-License-Identifier: Apache-2.0
// What every decoder promises whatever it was fed; the fuzz targets of this room check it.
#pragma once

#include "base/check.h"
#include "recording/recording.h"
#include "recording/window_cutter.h"

namespace millwright::recording {

inline void check_decoded(const Result<Recording>& read) {
  if (!read) {
    MW_CHECK(!read.error().message.empty(), "an error says what is wrong");
    MW_CHECK(read.error().message.find_first_of("\n\x1b") == std::string::npos, "a message is one line of text");
    return;
  }
  const size_t blocks = read->windows > 0 ? read->windows : 1;
  MW_CHECK(read->channels > 0 && read->channels <= kMaxChannels, "channels are bounded");
  MW_CHECK(read->length > 0 && read->samples.size() == blocks * read->channels * read->length, "shape fits samples");
  MW_CHECK(read->channel_names.empty() || read->channel_names.size() == read->channels, "one name for each channel");
  MW_CHECK(read->rate_hz >= 0.0, "a rate is a number");
  if (const auto place = find_not_finite(*read)) {
    MW_CHECK(!describe(*read, *place).empty(), "a place has a description");
  }
  auto cutter = cut_windows(*read, read->windows > 0 ? 0 : (read->length + 1) / 2, 1);
  MW_CHECK(cutter.has_value(), "what was read can be cut");
  for (const auto window : *cutter)
    MW_CHECK(window.size() == cutter->channels() * cutter->length(), "windows are whole");
}

}  // namespace millwright::recording
