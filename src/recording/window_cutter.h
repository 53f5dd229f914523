// SPDX-License-Identifier: Apache-2.0
// Planar windows out of either kind of recording: one that holds windows gives them as they are, a long one is cut.
#pragma once

#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "base/error.h"
#include "recording/recording.h"

namespace millwright::recording {

// Refers to the recording, which must outlive it. Not safe from two threads at once: windows of several channels of a
// long recording are gathered in one buffer.
class WindowCutter {
 public:
  class Iterator {
   public:
    using value_type = std::span<const float>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator(WindowCutter& cutter, size_t index) : cutter_(&cutter), index_(index) {}
    std::span<const float> operator*() const { return cutter_->at(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    WindowCutter* cutter_;
    size_t index_;
  };

  [[nodiscard]] size_t size() const { return count_; }
  [[nodiscard]] size_t channels() const { return recording_->channels; }
  [[nodiscard]] size_t length() const { return length_; }
  // channels() * length() samples: channel c is [c * length(), (c + 1) * length()). Valid until the next at().
  [[nodiscard]] std::span<const float> at(size_t index);
  // The first sample of the window, counted from the start of a long recording; 0 where windows stand alone.
  [[nodiscard]] size_t first_sample(size_t index) const { return recording_->windows > 0 ? 0 : index * hop_; }
  // Seconds from the start of a long recording; 0 where windows stand alone or the rate is unknown.
  [[nodiscard]] double start_s(size_t index) const;

  Iterator begin() { return {*this, 0}; }
  Iterator end() { return {*this, count_}; }

 private:
  friend Result<WindowCutter> cut_windows(const Recording& recording, size_t length, size_t hop);
  WindowCutter(const Recording& recording, size_t length, size_t hop, size_t count)
      : recording_(&recording), length_(length), hop_(hop), count_(count) {}

  const Recording* recording_;
  size_t length_;
  size_t hop_;
  size_t count_;
  std::vector<float> gathered_;
};

// `length` and `hop` in samples. For a long recording both must be at least 1, and a rest shorter than `length` is left
// out; kInvalidInput where the recording is shorter than one window. For a recording that holds windows, `length` must
// be 0 or theirs, and `hop` is not used.
Result<WindowCutter> cut_windows(const Recording& recording, size_t length, size_t hop);
Result<WindowCutter> cut_windows(Recording&&, size_t, size_t) = delete;

}  // namespace millwright::recording
