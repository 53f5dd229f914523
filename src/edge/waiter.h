// SPDX-License-Identifier: Apache-2.0
// Sleeps until an instant, until a descriptor can be read, or until somebody says stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/descriptor.h"
#include "edge/source.h"

namespace millwright::edge {

class Waiter {
 public:
  enum class Woken : uint8_t { kTime, kReadable, kStopped };

  Waiter();
  // `fd` below 0: only time and stop() wake.
  Woken wait_until(const Clock& clock, int64_t monotonic_ns, int fd = -1) const;

  // How a source that plays something keeps its pace: waits for samples that are due at `arrival_ns`, no longer than
  // until `until_ns`. Empty: they are here. Otherwise what next() answers instead of them.
  [[nodiscard]] std::optional<Block> wait_for_samples(const Clock& clock, int64_t arrival_ns, int64_t until_ns) const;
  // Any thread, also a signal handler; lasting.
  void stop() noexcept;
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_acquire); }

 private:
  Descriptor event_;
  std::atomic<bool> stopped_{false};
};

}  // namespace millwright::edge
