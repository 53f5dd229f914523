// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_ring.h"

#include <algorithm>

namespace millwright::edge {

WindowRing::WindowRing(size_t channels, size_t length, size_t slots) : slots_(slots) {
  for (Slot& slot : slots_) slot.samples.resize(channels * length);
}

void WindowRing::decided(const model::StrokeRecord& record, const signal::Window& window) noexcept {
  Slot& slot = slots_[head_ % slots_.size()];
  if (slot.full.load(std::memory_order_acquire) || window.samples.size() != slot.samples.size()) {
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  slot.record = record;
  std::ranges::copy(window.samples, slot.samples.begin());
  slot.full.store(true, std::memory_order_release);
  ++head_;
}

}  // namespace millwright::edge
