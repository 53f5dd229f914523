// SPDX-License-Identifier: Apache-2.0
#include "edge/udp_source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int kReceiveBufferBytes = 4 << 20;

}  // namespace

Result<std::unique_ptr<UdpSource>> UdpSource::create(const UdpOptions& options, const Clock& clock) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (::inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    return fail(ErrorCode::kInvalidInput, "'{}' is not an IPv4 address", options.address);
  }
  in_addr from{};
  if (!options.from.empty() && ::inet_pton(AF_INET, options.from.c_str(), &from) != 1) {
    return fail(ErrorCode::kInvalidInput, "'{}' is not an IPv4 address", options.from);
  }
  Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail(ErrorCode::kIo, "cannot make a UDP socket: {}", std::strerror(errno));
  // More room bridges a pause of this process; less is not an error.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(kReceiveBufferBytes));
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0) {
    return fail(ErrorCode::kIo, "UDP: the kernel stamps no packets ({}); how late they are cannot be known",
                std::strerror(errno));
  }
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    // The configuration names this address, so the configuration is what must change.
    return fail(ErrorCode::kInvalidInput, "UDP {}:{}: {}; is another program listening there?", options.address,
                options.port, std::strerror(errno));
  }
  socklen_t size = sizeof(address);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return std::unique_ptr<UdpSource>(
      new UdpSource(options, std::move(socket), ntohs(address.sin_port), from.s_addr, clock));
}

UdpSource::UdpSource(UdpOptions options, Descriptor socket, uint16_t port, uint32_t from, const Clock& clock)
    : options_(std::move(options)),
      socket_(std::move(socket)),
      port_(port),
      from_(from),
      clock_(clock),
      arrival_(clock.monotonic_ns(), kernel_clock_.wall_ns()),
      stream_(options_.rate_hz, options_.rate_span_ns) {
  packet_.resize(kMaxPacketBytes);
  planar_.resize(kMaxPacketBytes / sizeof(int16_t));
}

Block UdpSource::next(size_t max_frames, int64_t until_ns) {
  while (!waiter_.stopped()) {
    Block block;
    if (receive(max_frames, block)) return block;
    // What is refused keeps the socket readable; the caller's deadlines and heartbeat go on all the same.
    if (clock_.monotonic_ns() >= until_ns) return waiter_.stopped() ? Block{.kind = Block::Kind::kStopped} : Block{};
    const Waiter::Woken woken = waiter_.wait_until(clock_, until_ns, socket_.get());
    if (woken == Waiter::Woken::kTime) return {};
  }
  return {.kind = Block::Kind::kStopped};
}

// The next datagram, whoever sent it; nullopt: none is there.
std::optional<UdpSource::Datagram> UdpSource::read_datagram() {
  sockaddr_in sender{};
  iovec into{.iov_base = packet_.data(), .iov_len = packet_.size()};
  msghdr message{};
  message.msg_name = &sender;
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  ssize_t n = -1;
  do {
    message.msg_namelen = sizeof(sender);
    message.msg_control = control_.data();
    message.msg_controllen = control_.size();
    n = ::recvmsg(socket_.get(), &message, MSG_TRUNC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return std::nullopt;
  Datagram datagram{.bytes = static_cast<size_t>(n), .sender = sender.sin_addr, .stamp_ns = std::nullopt};
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof(stamp));
    datagram.stamp_ns = int64_t{stamp.tv_sec} * kNanosPerSecond + stamp.tv_nsec;
  }
  return datagram;
}

// Reads until a packet of ours is there or nothing is left. A flood of others cannot hold the stroke thread for long:
// after kMaxRefusedAtOnce it goes back to its deadlines.
bool UdpSource::receive(size_t max_frames, Block& block) {
  constexpr int kMaxRefusedAtOnce = 64;
  for (int i = 0; i < kMaxRefusedAtOnce; ++i) {
    // Both clocks before the look into the buffer: what comes in between is then not older than that.
    const int64_t before_ns = clock_.monotonic_ns();
    const int64_t before_wall_ns = kernel_clock_.wall_ns();
    const auto datagram = read_datagram();
    if (!datagram) {
      arrival_.drained(before_ns, before_wall_ns);
      return false;
    }
    const int64_t arrival_ns = arrival_.of_next(datagram->stamp_ns, clock_.monotonic_ns(), kernel_clock_.wall_ns());
    const bool welcome = (from_ == 0 || datagram->sender.s_addr == from_) && datagram->bytes <= packet_.size();
    const auto bytes = std::span<const std::byte>(packet_).first(std::min(datagram->bytes, packet_.size()));
    const auto header = welcome ? decode_packet(bytes) : std::nullopt;
    if (!header || header->channels != options_.channels || header->frames > max_frames ||
        !stream_.place(*header, block, counters_)) {
      counters_.refused.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    unpack_samples(*header, bytes, planar_);
    block.kind = Block::Kind::kSamples;
    block.frames = header->frames;
    block.planar = std::span<const float>(planar_).first(static_cast<size_t>(header->channels) * header->frames);
    block.arrival_ns = arrival_ns;
    block.fault = stream_.check_rate(block);
    counters_.frames.fetch_add(header->frames, std::memory_order_relaxed);
    if (header->cycle_frame != kNoCycle) {
      event_ = {.sample = header->cycle_frame, .cycle = header->cycle};
      block.events = std::span(&event_, 1);
    }
    return true;
  }
  return false;
}

}  // namespace millwright::edge
