// SPDX-License-Identifier: Apache-2.0
// The newest value from one thread to another. The writer stores and goes on; a reader never sees half of a value.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace millwright::edge::plc {

template <typename T>
class Seqlock {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // One thread; neither waits nor fails.
  void store(const T& value) noexcept {
    std::array<uint64_t, kWords> words{};
    std::memcpy(words.data(), &value, sizeof(T));
    const uint64_t begun = version_.load(std::memory_order_relaxed) + 1;
    version_.store(begun, std::memory_order_relaxed);
    // Released one by one: whoever reads a new word also reads that a store has begun.
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    version_.store(begun + 1, std::memory_order_release);
  }

  // Any thread; nullopt where stores came in between so often that none was read whole.
  [[nodiscard]] std::optional<T> load() const noexcept {
    for (int tries = 0; tries < kMaxTries; ++tries) {
      const uint64_t before = version_.load(std::memory_order_acquire);
      if (before % 2 != 0) continue;
      std::array<uint64_t, kWords> words{};
      for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) != before) continue;
      T value;
      std::memcpy(static_cast<void*>(&value), words.data(), sizeof(T));
      return value;
    }
    return std::nullopt;
  }

 private:
  static constexpr size_t kWords = (sizeof(T) + sizeof(uint64_t) - 1) / sizeof(uint64_t);
  static constexpr int kMaxTries = 100'000;

  std::atomic<uint64_t> version_{0};
  std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace millwright::edge::plc
