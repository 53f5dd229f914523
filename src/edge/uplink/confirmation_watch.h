// SPDX-License-Identifier: Apache-2.0
// Whether alerts have waited for their confirmation for too long while a broker was there: then somebody must look at
// the hub, or at what the broker lets through. Pure logic on one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace millwright::edge {

class ConfirmationWatch {
 public:
  static constexpr int64_t kPatienceNs = 300'000'000'000;

  enum class Change : uint8_t { kNone, kOverdue, kConfirmed };

  // About once a second: the monotonic time, whether a broker has accepted this box, how many alerts wait now, and how
  // many left delivered since the start.
  Change look(int64_t now_ns, bool connected, uint64_t waiting, uint64_t delivered) {
    const bool moved = std::exchange(delivered_, delivered) < delivered;
    if (!connected || waiting == 0 || moved) {
      since_ns_.reset();
    } else if (!since_ns_) {
      since_ns_ = now_ns;
    }
    waited_ns_ = since_ns_ ? now_ns - *since_ns_ : 0;
    // A broker that goes does not make them confirmed, nor does a store that gives them up.
    if (overdue_ && (waiting == 0 || moved)) {
      overdue_ = false;
      return moved ? Change::kConfirmed : Change::kNone;
    }
    if (overdue_ || waited_ns_ < kPatienceNs) return Change::kNone;
    overdue_ = true;
    return Change::kOverdue;
  }

  [[nodiscard]] bool overdue() const { return overdue_; }
  // With a broker and without a confirmation.
  [[nodiscard]] int64_t waited_ns() const { return waited_ns_; }

 private:
  std::optional<int64_t> since_ns_;
  int64_t waited_ns_ = 0;
  uint64_t delivered_ = 0;
  bool overdue_ = false;
};

}  // namespace millwright::edge
