// SPDX-License-Identifier: Apache-2.0
#include "campaign/fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/clock.h"

namespace millwright::campaign {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kChunk = 4096;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void without_delay(const Descriptor& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

FaultProxy::FaultProxy(uint16_t to_port)
    : to_port_(to_port),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  const bool listens = ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       ::listen(listener_.get(), 16) == 0 &&
                       ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
  MW_CHECK(listens && event_.valid(), "loopback has a free port");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  stopped_ = true;
  wake();
  thread_.join();
}

void FaultProxy::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

void FaultProxy::unplug(bool out) {
  unplugged_ = out;
  wake();
}

void FaultProxy::arm(LinkFault fault, int64_t delay_ns) {
  delay_ns_ = delay_ns;
  fault_ = static_cast<uint8_t>(fault);
}

void FaultProxy::run() {
  const SystemClock clock;
  std::vector<pollfd> fds;
  while (!stopped_) {
    int64_t due = clock.monotonic_ns() + kNanosPerSecond;
    fds = {{.fd = event_.get(), .events = POLLIN, .revents = 0},
           {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    for (const Pair& pair : pairs_) {
      for (const Way& way : pair.ends) {
        fds.push_back({.fd = way.socket.get(), .events = POLLIN, .revents = 0});
        if (!way.out.empty()) due = std::min(due, way.out.front().due_ns);
      }
    }
    const int64_t left = std::max<int64_t>(0, due - clock.monotonic_ns());
    const timespec timeout{.tv_sec = left / kNanosPerSecond, .tv_nsec = left % kNanosPerSecond};
    if (::ppoll(fds.data(), fds.size(), &timeout, nullptr) < 0) continue;
    size_t at = 2;
    for (Pair& pair : pairs_) {
      for (int end = 0; end < 2; ++end, ++at) {
        if (fds[at].revents != 0) pass(pair, end);
      }
      flush(pair, clock.monotonic_ns());
    }
    pairs_.remove_if([](const Pair& pair) { return pair.dead; });
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(event_.get(), &count, sizeof(count));
    if (unplugged_) pairs_.clear();
    if (fds[1].revents != 0) accept_pair();
  }
}

void FaultProxy::accept_pair() {
  Pair pair;
  pair.ends[0].socket = Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ++accepted_;
  pair.ends[1].socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(to_port_);
  if (unplugged_ || !pair.ends[0].socket.valid() ||
      ::connect(pair.ends[1].socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return;
  }
  for (const Way& way : pair.ends) without_delay(way.socket);
  pairs_.push_back(std::move(pair));
}

void FaultProxy::pass(Pair& pair, int from) {
  std::array<uint8_t, kChunk> chunk{};
  const ssize_t n = ::recv(pair.ends[from].socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (n <= 0) {
    pair.dead = true;
    return;
  }
  std::vector<uint8_t> bytes(chunk.begin(), chunk.begin() + n);
  auto& out = pair.ends[1 - from].out;
  const auto fault = static_cast<LinkFault>(fault_.exchange(0));
  if (fault != LinkFault::kNone) ++done_;
  const int64_t now = SystemClock().monotonic_ns();
  const auto half = bytes.begin() + static_cast<ptrdiff_t>(bytes.size() / 2);
  switch (fault) {
    case LinkFault::kNone: out.push_back({std::move(bytes), now}); break;
    case LinkFault::kCut: pair.dead = true; break;
    case LinkFault::kHalf: out.push_back({{bytes.begin(), half}, now, true}); break;
    case LinkFault::kLate: out.push_back({std::move(bytes), now + delay_ns_}); break;
    case LinkFault::kHalfLate:
      out.push_back({{bytes.begin(), half}, now});
      out.push_back({{half, bytes.end()}, now + delay_ns_});
      break;
  }
}

void FaultProxy::flush(Pair& pair, int64_t now_ns) {
  for (Way& way : pair.ends) {
    while (!pair.dead && !way.out.empty() && way.out.front().due_ns <= now_ns) {
      const Held held = std::move(way.out.front());
      way.out.pop_front();
      const ssize_t n = ::send(way.socket.get(), held.bytes.data(), held.bytes.size(), MSG_NOSIGNAL);
      pair.dead = held.last || n != static_cast<ssize_t>(held.bytes.size());
    }
  }
}

}  // namespace millwright::campaign
