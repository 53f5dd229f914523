// SPDX-License-Identifier: Apache-2.0
// Latencies in fixed memory: 16 buckets per power of two, so every percentile is at most 6.25 % too high, none too low.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

namespace millwright::edge {

// One thread adds, any thread reads a snapshot.
class LatencyHistogram {
 public:
  void add(int64_t nanoseconds) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0));
    bump(buckets_[index_of(value)]);
    bump(count_);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }

  [[nodiscard]] uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t max_ns() const { return max_.load(std::memory_order_relaxed); }

  // The upper edge of the bucket that holds the share `p` (0 .. 1) of all values, never above the maximum; 0: empty.
  [[nodiscard]] uint64_t percentile_ns(double p) const {
    const uint64_t wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(p * static_cast<double>(count()))));
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i].load(std::memory_order_relaxed);
      if (seen >= wanted) return std::min(upper_edge(i), max_ns());
    }
    return max_ns();
  }

 private:
  static constexpr unsigned kBits = 4;
  static constexpr size_t kPerOctave = 1U << kBits;
  static constexpr size_t kBuckets = (64 - kBits + 1) * kPerOctave;

  static size_t index_of(uint64_t value) {
    if (value < kPerOctave) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return (shift + 1) * kPerOctave + ((value >> shift) & (kPerOctave - 1));
  }
  static uint64_t upper_edge(size_t index) {
    if (index < kPerOctave) return index;
    const size_t shift = index / kPerOctave - 1;
    return (((kPerOctave + index % kPerOctave) + 1) << shift) - 1;
  }
  static void bump(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> max_{0};
};

}  // namespace millwright::edge
