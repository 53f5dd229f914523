// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt to connect. Full jitter: five hundred boxes that lost the same broker must
// not come back in the same instant, and one box never tries more often than once in `first`. The idea: M. Brooker,
// "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/random.h"

namespace millwright::net::mqtt {

class Backoff {
 public:
  // All times in nanoseconds; 0 < first <= limit.
  Backoff(int64_t first_ns, int64_t limit_ns, uint64_t seed) : first_(first_ns), limit_(limit_ns), random_(seed) {}

  // The first attempt of a start: power that returns to a hall starts all of its boxes at once.
  int64_t first_delay_ns() { return static_cast<int64_t>(random_.uniform() * static_cast<double>(first_)); }

  // Uniform between `first` and a bound that doubles with each call up to `limit`.
  int64_t next_delay_ns() {
    const int64_t bound = std::max(2 * first_, std::min(limit_, first_ << std::min(failures_, kMaxShift)));
    if (failures_ < kMaxShift) ++failures_;
    return first_ + static_cast<int64_t>(random_.uniform() * static_cast<double>(std::min(bound, limit_) - first_));
  }

  // The last connection did its work: begin at the beginning.
  void worked() { failures_ = 0; }

 private:
  static constexpr int kMaxShift = 16;
  int64_t first_;
  int64_t limit_;
  Random random_;
  int failures_ = 0;
};

}  // namespace millwright::net::mqtt
