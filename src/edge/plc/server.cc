// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace millwright::edge::plc {
namespace {

constexpr int kBacklog = 16;
constexpr uint16_t kFirstFreePort = 1024;

Result<Descriptor> listen_on(const PlcOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (::inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    return fail(ErrorCode::kInvalidInput, "'{}' is not an IPv4 address", options.address);
  }
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail(ErrorCode::kIo, "cannot make a TCP socket: {}", std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    const bool low = errno == EACCES && options.port < kFirstFreePort;
    return fail(ErrorCode::kInvalidInput, "Modbus TCP {}:{}: {}; {}", options.address, options.port,
                std::strerror(errno),
                low ? "this port needs CAP_NET_BIND_SERVICE, or take one above 1023"
                    : "is the address this machine's, and is no other program listening there?");
  }
  return socket;
}

}  // namespace

Status can_listen(const PlcOptions& options) {
  MW_TRY(listen_on(options));
  return {};
}

Result<std::unique_ptr<Server>> Server::start(const PlcOptions& options, Link& link) {
  in_addr from{};
  if (!options.from.empty() && ::inet_pton(AF_INET, options.from.c_str(), &from) != 1) {
    return fail(ErrorCode::kInvalidInput, "'{}' is not an IPv4 address", options.from);
  }
  Descriptor socket = MW_TRY(listen_on(options));
  return std::unique_ptr<Server>(new Server(options, std::move(socket), from.s_addr, link));
}

Server::Server(const PlcOptions& options, Descriptor socket, uint32_t from, Link& link)
    : map_(options.map), link_(link), socket_(std::move(socket)), from_(from) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  peers_.reserve(kMaxPeers + 1);
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "modbus-server");
}

Server::~Server() {
  link_.stop();
  thread_.join();
}

void Server::run() {
  while (!link_.stopped()) {
    std::array<pollfd, kMaxPeers + 2> fds{};
    fds[0] = {.fd = link_.event(), .events = POLLIN, .revents = 0};
    fds[1] = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    for (size_t i = 0; i < peers_.size(); ++i) {
      fds[i + 2] = {.fd = peers_[i].socket.get(), .events = POLLIN, .revents = 0};
    }
    if (::poll(fds.data(), peers_.size() + 2, -1) <= 0) continue;
    for (size_t i = peers_.size(); i-- > 0;) {
      if (fds[i + 2].revents != 0 && !serve(peers_[i])) peers_.erase(peers_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (fds[1].revents != 0) accept_peer();
  }
}

// The named peer stays, however many others come; of equals the one goes that was silent longest.
std::vector<Server::Peer>::iterator Server::most_dispensable() {
  return std::ranges::min_element(peers_, {},
                                  [](const Peer& peer) { return std::pair(peer.may_write, peer.heard_ns); });
}

void Server::accept_peer() {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  Descriptor socket(
      ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.valid()) {
    // No descriptors left: the peer that waits would wake this thread for ever.
    if ((errno == EMFILE || errno == ENFILE) && !peers_.empty()) peers_.erase(most_dispensable());
    return;
  }
  if (peers_.size() == kMaxPeers) {
    peers_.erase(most_dispensable());
    link_.refused.fetch_add(1, std::memory_order_relaxed);
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  link_.connects.fetch_add(1, std::memory_order_relaxed);
  peers_.push_back({.socket = std::move(socket),
                    .may_write = from_ == 0 || from_ == address.sin_addr.s_addr,
                    .heard_ns = link_.clock().monotonic_ns()});
}

// Whether the peer stays.
bool Server::serve(Peer& peer) {
  const ssize_t n = ::recv(peer.socket.get(), peer.bytes.data() + peer.filled, peer.bytes.size() - peer.filled, 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  peer.filled += static_cast<size_t>(n);
  return answer_frames(peer);
}

bool Server::answer_frames(Peer& peer) {
  size_t done = 0;
  bool stays = true;
  while (stays) {
    const auto rest = std::span<const uint8_t>(peer.bytes).subspan(done, peer.filled - done);
    const auto size = frame_bytes(rest);
    if (!size) link_.refused.fetch_add(1, std::memory_order_relaxed);
    if (!size) return false;
    if (*size == 0) break;
    const Registers registers{.block = link_.block(), .control = link_.control()};
    const Answer reply = answer(rest.first(*size), map_, registers, peer.may_write);
    done += *size;
    if (reply.written) link_.set_control(*reply.written);
    peer.heard_ns = link_.clock().monotonic_ns();
    (reply.refused ? link_.refused : link_.transactions).fetch_add(1, std::memory_order_relaxed);
    // A reader beside a PLC that has a name proves nothing about the PLC.
    if (!reply.refused && peer.may_write) link_.heard();
    // A peer that does not take its answers is not waited for.
    stays = ::send(peer.socket.get(), reply.bytes.data(), reply.size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
            static_cast<ssize_t>(reply.size);
  }
  std::copy(peer.bytes.begin() + static_cast<ptrdiff_t>(done), peer.bytes.begin() + static_cast<ptrdiff_t>(peer.filled),
            peer.bytes.begin());
  peer.filled -= done;
  return stays;
}

}  // namespace millwright::edge::plc
