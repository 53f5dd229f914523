// SPDX-License-Identifier: Apache-2.0
// The three kinds of number that Prometheus knows. Any thread may change them, without a lock and without waiting; they
// live as long as their registry.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millwright::metrics {

// Only grows; starts at 0 with the process.
class Counter {
 public:
  void add(uint64_t count = 1) noexcept { value_.fetch_add(count, std::memory_order_relaxed); }
  // For what is counted elsewhere, in this process: takes over that count. It must not fall.
  void set_total(uint64_t total) noexcept { value_.store(total, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Goes up and down; NaN where nothing is known.
class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0.0};
};

// How often a value fell at or below each bound; one more bucket, +Inf, holds the rest.
inline constexpr size_t kMaxBuckets = 24;
class Histogram {
 public:
  // `bounds`: ascending, at most kMaxBuckets; must outlive the histogram.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {}

  void observe(double value) noexcept {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  // For what another histogram of the same bounds observes, in this process.
  void take_over(const Histogram& other) noexcept {
    for (size_t i = 0; i <= bounds_.size(); ++i) counts_[i].store(other.count(i), std::memory_order_relaxed);
    sum_.store(other.sum(), std::memory_order_relaxed);
  }
  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  // Not cumulative; `bucket` == bounds().size() is +Inf.
  [[nodiscard]] uint64_t count(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::span<const double> bounds_;
  std::array<std::atomic<uint64_t>, kMaxBuckets + 1> counts_{};
  std::atomic<double> sum_{0.0};
};

}  // namespace millwright::metrics
