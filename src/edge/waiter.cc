// SPDX-License-Identifier: Apache-2.0
#include "edge/waiter.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

Waiter::Waiter() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
}

Waiter::Woken Waiter::wait_until(const Clock& clock, int64_t monotonic_ns, int fd) const {
  std::array<pollfd, 2> fds{
      {{.fd = event_.get(), .events = POLLIN, .revents = 0}, {.fd = fd, .events = POLLIN, .revents = 0}}};
  while (!stopped()) {
    const int64_t left = std::max<int64_t>(0, monotonic_ns - clock.monotonic_ns());
    const timespec timeout{.tv_sec = left / kNanosPerSecond, .tv_nsec = left % kNanosPerSecond};
    const int ready = ::ppoll(fds.data(), fd < 0 ? 1 : 2, &timeout, nullptr);
    if (stopped()) break;
    if (ready > 0 && fds[1].revents != 0) return Woken::kReadable;
    if (ready == 0 || clock.monotonic_ns() >= monotonic_ns) return Woken::kTime;
  }
  return Woken::kStopped;
}

std::optional<Block> Waiter::wait_for_samples(const Clock& clock, int64_t arrival_ns, int64_t until_ns) const {
  if (wait_until(clock, std::min(arrival_ns, until_ns)) == Woken::kStopped) return Block{.kind = Block::Kind::kStopped};
  if (arrival_ns > until_ns && clock.monotonic_ns() < arrival_ns) return Block{};
  return std::nullopt;
}

void Waiter::stop() noexcept {
  stopped_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

}  // namespace millwright::edge
