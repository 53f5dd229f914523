// SPDX-License-Identifier: Apache-2.0
// systemd's watchdog, fed by the stroke loops themselves: a beat goes out when every loop has come round since the one
// before. No timer and no other thread can feed it, so a loop that hangs starves it, and nothing else does.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "edge/service/notify_socket.h"
#include "edge/stroke_loop.h"

namespace millwright::edge {

class LoopWatchdog {
 public:
  // `watchdog_ns` 0: nobody asked, nothing is sent. `manager` must outlive this.
  LoopWatchdog(size_t loops, const NotifySocket& manager, int64_t watchdog_ns);

  // Belongs to one loop's thread.
  [[nodiscard]] PulseListener& of(size_t loop) { return seats_[loop]; }
  // Its source has ended, as a recording does: nobody waits for this loop any more. Any thread.
  void release(size_t loop) noexcept { seats_[loop].released.store(true, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t beats() const { return beats_.load(std::memory_order_relaxed); }

 private:
  struct Seat final : PulseListener {
    void pulse(int64_t now_ns) noexcept override {
      alive.store(true, std::memory_order_relaxed);
      watchdog->look(now_ns);
    }
    LoopWatchdog* watchdog = nullptr;
    std::atomic<bool> alive{false};  // since the last beat
    std::atomic<bool> released{false};
  };
  void look(int64_t now_ns) noexcept;

  const NotifySocket& manager_;
  const int64_t every_ns_;
  std::vector<Seat> seats_;
  std::atomic<int64_t> next_ns_{0};
  std::atomic<uint64_t> beats_{0};
};

}  // namespace millwright::edge
