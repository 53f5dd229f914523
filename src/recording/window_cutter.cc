// SPDX-License-Identifier: Apache-2.0
#include "recording/window_cutter.h"

#include <algorithm>

#include "base/check.h"

namespace millwright::recording {

Result<WindowCutter> cut_windows(const Recording& recording, size_t length, size_t hop) {
  const std::string file = recording.path.string();
  if (recording.windows > 0) {
    if (length != 0 && length != recording.length) {
      return fail(ErrorCode::kInvalidInput, "{}: holds windows of {} samples, windows of {} were asked for", file,
                  recording.length, length);
    }
    return WindowCutter(recording, recording.length, recording.length, recording.windows);
  }
  if (length == 0 || hop == 0) {
    return fail(ErrorCode::kInvalidInput,
                "{}: a long recording is cut into windows: give their length and hop in samples", file);
  }
  if (recording.length < length) {
    return fail(ErrorCode::kInvalidInput, "{}: {} samples do not fill one window of {}", file, recording.length,
                length);
  }
  return WindowCutter(recording, length, hop, (recording.length - length) / hop + 1);
}

std::span<const float> WindowCutter::at(size_t index) {
  MW_CHECK(index < count_, "no such window");
  if (recording_->windows > 0) return recording_->window(index);
  const size_t first = index * hop_;
  if (recording_->channels == 1) return recording_->channel(0).subspan(first, length_);
  gathered_.resize(recording_->channels * length_);
  for (size_t c = 0; c < recording_->channels; ++c) {
    std::ranges::copy(recording_->channel(c).subspan(first, length_),
                      gathered_.begin() + static_cast<ptrdiff_t>(c * length_));
  }
  return gathered_;
}

double WindowCutter::start_s(size_t index) const {
  return recording_->rate_hz > 0.0 ? static_cast<double>(first_sample(index)) / recording_->rate_hz : 0.0;
}

}  // namespace millwright::recording
