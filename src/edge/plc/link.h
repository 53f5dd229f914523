// SPDX-License-Identifier: Apache-2.0
// Between the stroke thread and the thread that talks to the PLC: neither ever waits for the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/descriptor.h"
#include "edge/plc/result_state.h"
#include "edge/plc/seqlock.h"

namespace millwright::edge::plc {

// The PLC is there: it asked, or took what was written, this long ago at most.
inline constexpr int64_t kLinkNs = 1'000'000'000;

// What an end was at when it failed.
enum class LinkStep : uint8_t { kConnect, kReadBlock, kWriteBlock, kReadControl };

class Link {
 public:
  Link(const Clock& clock, FailSafe on_death, WordOrder order);

  // --- the stroke thread ---
  void put(const ResultState& state, bool wake) noexcept;
  bool take_alarm_ack() noexcept {
    return alarm_ack_.load(std::memory_order_relaxed) && alarm_ack_.exchange(false, std::memory_order_relaxed);
  }

  // --- the thread that talks to the PLC ---
  // As it stands at this moment; nullopt: it cannot be had (see Seqlock).
  [[nodiscard]] std::optional<BlockRegisters> block() const;
  // The same, for an agent that ends: not ready, nothing valid.
  [[nodiscard]] std::optional<BlockRegisters> farewell() const;
  [[nodiscard]] const ControlRegisters& control() const { return control_registers_; }
  void set_control(const ControlRegisters& registers);
  void heard() noexcept { heard_ns_.store(clock_.monotonic_ns(), std::memory_order_relaxed); }
  [[nodiscard]] int event() const { return event_.get(); }
  void clear_event() const noexcept;

  // --- any thread ---
  void stop() noexcept;
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  [[nodiscard]] bool up() const;
  // Since when the PLC's own heartbeat has stood still, where it has one; 0: it beats.
  [[nodiscard]] int64_t standstill_ns() const;
  // How it stands, with what this end counts.
  [[nodiscard]] OutputLink facts() const;
  [[nodiscard]] const Clock& clock() const { return clock_; }

  std::atomic<uint64_t> transactions{0};  // answered, or written
  std::atomic<uint64_t> refused{0};       // what was no request for us, or a write that the PLC refused
  std::atomic<uint64_t> connects{0};
  std::atomic<LinkStep> last_step{LinkStep::kConnect};  // of last_error
  std::atomic<int> last_error{0};  // libmodbus's errno where the last exchange failed; 0: it did not

 private:
  const Clock& clock_;
  FailSafe on_death_;
  WordOrder order_;
  Descriptor event_;
  Seqlock<ResultState> state_;
  ControlRegisters control_registers_{};
  Control control_;
  bool control_known_ = false;
  std::atomic<int64_t> heard_ns_{-kLinkNs};
  std::atomic<int64_t> beat_ns_{-1};  // the PLC's own heartbeat changed then; below 0: it has none
  std::atomic<bool> alarm_ack_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace millwright::edge::plc
