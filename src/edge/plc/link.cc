// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/link.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"

namespace millwright::edge::plc {

Link::Link(const Clock& clock, FailSafe on_death, WordOrder order)
    : clock_(clock),
      on_death_(on_death),
      order_(order),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      heard_ns_(clock.monotonic_ns() - kLinkNs) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
}

void Link::put(const ResultState& state, bool wake) noexcept {
  state_.store(state);
  if (!wake) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

std::optional<BlockRegisters> Link::block() const {
  const auto state = state_.load();
  if (!state) return std::nullopt;
  return encode_block(block_of(*state, control_, on_death_), order_);
}

std::optional<BlockRegisters> Link::farewell() const {
  const auto state = state_.load();
  if (!state) return std::nullopt;
  Block block = block_of(*state, control_, on_death_);
  block.status.ready = block.status.busy = block.status.result_valid = block.status.pass = false;
  block.status.stop = block.status.stop || on_death_ == FailSafe::kStop;
  return encode_block(block, order_);
}

void Link::set_control(const ControlRegisters& registers) {
  const Control before = control_;
  control_registers_ = registers;
  control_ = decode_control(registers, order_);
  // What stands there when we start is nobody's push of a button.
  const bool begins = !std::exchange(control_known_, true);
  if (control_.alarm_ack && !before.alarm_ack && !begins) alarm_ack_.store(true, std::memory_order_relaxed);
  if (control_.heartbeat != before.heartbeat) beat_ns_.store(clock_.monotonic_ns(), std::memory_order_relaxed);
}

void Link::clear_event() const noexcept {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(event_.get(), &count, sizeof(count));
}

void Link::stop() noexcept {
  stopped_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

bool Link::up() const {
  const int64_t now = clock_.monotonic_ns();
  const int64_t beat = beat_ns_.load(std::memory_order_relaxed);
  return now - heard_ns_.load(std::memory_order_relaxed) < kLinkNs && (beat < 0 || now - beat < kLinkNs);
}

int64_t Link::standstill_ns() const {
  const int64_t beat = beat_ns_.load(std::memory_order_relaxed);
  const int64_t since = beat < 0 ? 0 : clock_.monotonic_ns() - beat;
  return since < kLinkNs ? 0 : since;
}

OutputLink Link::facts() const {
  constexpr double kSecondsPerNano = 1e-9;
  OutputLink facts{.up = up(),
                   .connects = connects.load(std::memory_order_relaxed),
                   .transactions = transactions.load(std::memory_order_relaxed),
                   .refused = refused.load(std::memory_order_relaxed)};
  const int64_t now = clock_.monotonic_ns();
  const int64_t beat = beat_ns_.load(std::memory_order_relaxed);
  facts.heard_age_s = static_cast<double>(now - heard_ns_.load(std::memory_order_relaxed)) * kSecondsPerNano;
  if (beat >= 0) facts.heartbeat_age_s = static_cast<double>(now - beat) * kSecondsPerNano;
  if (const auto state = state_.load()) facts.late_results = state->late;
  return facts;
}

}  // namespace millwright::edge::plc
