// SPDX-License-Identifier: Apache-2.0
// A bounded queue for exactly one producer thread and one consumer thread. Neither side locks, waits or allocates
// after construction: how the stroke path tells the rest of the program what it decided.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace millwright {

template <typename T>
class SpscQueue {
 public:
  // Holds at least `capacity` items.
  explicit SpscQueue(size_t capacity) : slots_(std::bit_ceil(capacity + 1)), mask_(slots_.size() - 1) {}

  // Producer only. False when full: the caller counts the loss.
  template <typename U>
  [[nodiscard]] bool try_push(U&& item) {
    const size_t head = head_.load(std::memory_order_relaxed);
    const size_t next = (head + 1) & mask_;
    if (next == tail_.load(std::memory_order_acquire)) return false;
    slots_[head] = std::forward<U>(item);
    head_.store(next, std::memory_order_release);
    return true;
  }

  // Consumer only.
  [[nodiscard]] std::optional<T> try_pop() {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> item(std::move(slots_[tail]));
    tail_.store((tail + 1) & mask_, std::memory_order_release);
    return item;
  }

  // Either side; a snapshot.
  [[nodiscard]] size_t size() const {
    return (head_.load(std::memory_order_acquire) - tail_.load(std::memory_order_acquire)) & mask_;
  }

 private:
  static constexpr size_t kCacheLine = 64;
  std::vector<T> slots_;
  size_t mask_;
  alignas(kCacheLine) std::atomic<size_t> head_{0};
  alignas(kCacheLine) std::atomic<size_t> tail_{0};
};

}  // namespace millwright
