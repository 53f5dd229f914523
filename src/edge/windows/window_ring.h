// SPDX-License-Identifier: Apache-2.0
// Hands the windows of strokes, with their records, from the stroke thread to whoever shows or keeps them: copies into
// memory that is there already. Where the reader is slow, windows are left out and counted; a stroke never waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "edge/stroke_loop.h"
#include "model/stroke_record.h"

namespace millwright::edge {

class WindowRing final : public WindowWatcher {
 public:
  static constexpr size_t kSlots = 4;

  WindowRing(size_t channels, size_t length, size_t slots = kSlots);

  // The stroke thread: a copy of channels x length samples, nothing else.
  void decided(const model::StrokeRecord& record, const signal::Window& window) noexcept override;

  // One other thread. Calls `look(record, samples)` for each window that waits, oldest first; samples are planar and
  // valid during the call.
  template <typename Look>
  void drain(const Look& look) {
    while (true) {
      Slot& slot = slots_[tail_ % slots_.size()];
      if (!slot.full.load(std::memory_order_acquire)) return;
      look(slot.record, std::span<const float>(slot.samples));
      slot.full.store(false, std::memory_order_release);
      ++tail_;
    }
  }

  // Windows that found no place.
  [[nodiscard]] uint64_t left_out() const { return left_out_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    std::atomic<bool> full{false};
    model::StrokeRecord record;
    std::vector<float> samples;
  };
  std::vector<Slot> slots_;
  size_t head_ = 0;  // the stroke thread's
  size_t tail_ = 0;  // the reader's
  std::atomic<uint64_t> left_out_{0};
};

}  // namespace millwright::edge
