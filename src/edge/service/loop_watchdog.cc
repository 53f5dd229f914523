// SPDX-License-Identifier: Apache-2.0
#include "edge/service/loop_watchdog.h"

namespace millwright::edge {
namespace {

// Twice as often as systemd advises: a beat may be lost, and one may be late.
constexpr int64_t kBeatsPerWatchdog = 4;

}  // namespace

LoopWatchdog::LoopWatchdog(size_t loops, const NotifySocket& manager, int64_t watchdog_ns)
    : manager_(manager), every_ns_(watchdog_ns / kBeatsPerWatchdog), seats_(loops) {
  for (Seat& seat : seats_) seat.watchdog = this;
}

// Whichever loop completes the round sends the beat.
void LoopWatchdog::look(int64_t now_ns) noexcept {
  int64_t due = next_ns_.load(std::memory_order_relaxed);
  if (every_ns_ == 0 || now_ns < due) return;
  for (const Seat& seat : seats_) {
    if (!seat.alive.load(std::memory_order_relaxed) && !seat.released.load(std::memory_order_relaxed)) return;
  }
  if (!next_ns_.compare_exchange_strong(due, now_ns + every_ns_, std::memory_order_relaxed)) return;
  // A pulse that comes in between is forgotten with the others; the next one is 100 ms away.
  for (Seat& seat : seats_) seat.alive.store(false, std::memory_order_relaxed);
  beats_.fetch_add(1, std::memory_order_relaxed);
  (void)manager_.tell("WATCHDOG=1");
}

}  // namespace millwright::edge
