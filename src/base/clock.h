// SPDX-License-Identifier: Apache-2.0
// Time comes in through this seam. Intervals and deadlines use monotonic_ns(); wall_ns() only labels records, because
// it may jump. A test owns a FakeClock and never sleeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace millwright {

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since an arbitrary instant of this boot; never decreases. Safe from any thread, never allocates.
  [[nodiscard]] virtual int64_t monotonic_ns() const = 0;
  // Nanoseconds since 1970-01-01 UTC; may jump in both directions.
  [[nodiscard]] virtual int64_t wall_ns() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] int64_t monotonic_ns() const override;
  [[nodiscard]] int64_t wall_ns() const override;
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t monotonic_ns = 0, int64_t wall_ns = 1'700'000'000'000'000'000)
      : monotonic_(monotonic_ns), wall_(wall_ns) {}
  [[nodiscard]] int64_t monotonic_ns() const override { return monotonic_.load(std::memory_order_relaxed); }
  [[nodiscard]] int64_t wall_ns() const override { return wall_.load(std::memory_order_relaxed); }
  void advance_ns(int64_t by) {
    monotonic_.fetch_add(by, std::memory_order_relaxed);
    wall_.fetch_add(by, std::memory_order_relaxed);
  }
  // The wall clock alone moves, as when an operator or NTP sets it.
  void jump_wall_ns(int64_t by) { wall_.fetch_add(by, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> monotonic_;
  std::atomic<int64_t> wall_;
};

// "2026-11-22T14:03:07.123456Z": RFC 3339, UTC, microseconds; independent of locale and time zone.
std::string format_utc(int64_t wall_ns);

// This boot's identifier (/proc/sys/kernel/random/boot_id), or "unknown": the wall clock cannot tell two boots apart.
std::string boot_id();

}  // namespace millwright
