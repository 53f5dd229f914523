// SPDX-License-Identifier: Apache-2.0
// Makes a payload small by what it has in common with another one, its template: lines of records differ in a few
// numbers only. Walks both texts side by side, at memory speed; FORMAT.md has the encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millwright::edge::outbox {

// A text behind which zeros may be read, so that it can be walked a word at a time to its end.
class PaddedText {
 public:
  PaddedText() = default;
  explicit PaddedText(std::string_view text) { assign(text); }
  void assign(std::string_view text);
  [[nodiscard]] std::string_view text() const { return std::string_view(bytes_).substr(0, size_); }
  // The sum of its letters: the same for texts that differ in their numbers alone, and for few others.
  [[nodiscard]] uint32_t letters() const;

 private:
  std::string bytes_;
  size_t size_ = 0;
};

// A template made ready for many differences from it.
class DeltaModel {
 public:
  explicit DeltaModel(std::string_view text);
  [[nodiscard]] std::string_view text() const { return text_.text(); }
  [[nodiscard]] uint32_t letters() const { return letters_; }
  // Of the number that goes on at `at`: how many of its characters follow, 0: none.
  [[nodiscard]] size_t digits_at(size_t at) const { return at < digits_.size() ? digits_[at] : 0; }

 private:
  PaddedText text_;
  uint32_t letters_;
  std::vector<uint8_t> digits_;
};

// What must be free behind a difference for it to be written: steps are not begun without.
inline constexpr size_t kDeltaSlack = 32;

// Writes `text` as a difference from `model` into `room` and says how many bytes it took. Nothing: it did not fit, with
// kDeltaSlack to spare; what is in `room` then means nothing.
std::optional<size_t> encode_delta(const DeltaModel& model, const PaddedText& text, std::span<char> room);

// kCorrupt where `delta` is not one from this template, or says more than `limit` bytes.
Result<std::string> decode_delta(std::string_view model, std::string_view delta, size_t limit);

}  // namespace millwright::edge::outbox
