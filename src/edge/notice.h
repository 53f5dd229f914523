// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millwright::edge {

// One short text from one thread to one reader, without a lock: while the last one has not been fetched, later
// ones are dropped, because the first failure tells more than the hundredth.
class Notice {
 public:
  void put(std::string_view text) noexcept {
    if (full_.load(std::memory_order_acquire)) return;
    size_ = text.copy(text_.data(), text_.size());
    full_.store(true, std::memory_order_release);
  }
  std::optional<std::string> take() {
    if (!full_.load(std::memory_order_acquire)) return std::nullopt;
    std::string text(text_.data(), size_);
    full_.store(false, std::memory_order_release);
    return text;
  }

 private:
  std::array<char, 400> text_{};
  size_t size_ = 0;
  std::atomic<bool> full_{false};
};

}  // namespace millwright::edge
