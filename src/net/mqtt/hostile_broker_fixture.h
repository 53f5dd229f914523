// SPDX-License-Identifier: Apache-2.0
// A broker that does not keep to the rules, by script: one connection after the other on a free port of the loopback.
// For tests.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::net::mqtt {

// One accepted connection, seen from the broker.
class Wire {
 public:
  Wire(int socket, const std::atomic<bool>& stopping) : socket_(socket), stopping_(stopping) {}

  struct Packet {
    uint8_t type = 0;  // high nibble of the first byte
    uint8_t flags = 0;
    std::string body;
    [[nodiscard]] std::string topic() const { return body.substr(2, size_t(uint8_t(body[0])) << 8 | uint8_t(body[1])); }
    // Of a PUBLISH of QoS 1, or a SUBSCRIBE.
    [[nodiscard]] std::string id() const { return type == 3 ? body.substr(2 + topic().size(), 2) : body.substr(0, 2); }
  };

  // Nothing: the client is gone, or the test ends.
  std::optional<Packet> read(int timeout_ms = 60'000) {
    const auto first = byte(timeout_ms);
    if (!first) return std::nullopt;
    size_t length = 0;
    for (int shift = 0; shift < 28; shift += 7) {
      const auto next = byte(timeout_ms);
      if (!next) return std::nullopt;
      length |= size_t(*next & 0x7F) << shift;
      if ((*next & 0x80) == 0) break;
    }
    Packet packet{.type = uint8_t(*first >> 4), .flags = uint8_t(*first & 0xF)};
    while (packet.body.size() < length) {
      const auto next = byte(timeout_ms);
      if (!next) return std::nullopt;
      packet.body += static_cast<char>(*next);
    }
    return packet;
  }

  // False: the client is gone, or does not read for a second.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd waiting{.fd = socket_, .events = POLLOUT};
      if (stopping_ || ::poll(&waiting, 1, 1000) <= 0) return false;
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) return false;
      sent += static_cast<uint64_t>(count);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  // Reads CONNECT and accepts it.
  bool accept() { return read().has_value() && send(std::string("\x20\x03\x00\x00\x00", 5)); }
  // A PUBLISH, SUBSCRIBE or PINGREQ answered as a broker should.
  bool answer(const Packet& packet) {
    if (packet.type == 3 && packet.flags >> 1 == 1) return send("\x40\x02" + packet.id());
    if (packet.type == 8) return send("\x90\x04" + packet.id() + std::string("\x00\x01", 2));
    if (packet.type == 12) return send(std::string("\xD0\x00", 2));
    return true;
  }
  bool wait(int milliseconds) {
    for (int passed = 0; passed < milliseconds && !stopping_; passed += 5) ::poll(nullptr, 0, 5);
    return !stopping_;
  }

  uint64_t sent = 0;

 private:
  std::optional<uint8_t> byte(int timeout_ms) {
    if (at_ == filled_) {
      for (int passed = 0;; passed += 20) {
        pollfd waiting{.fd = socket_, .events = POLLIN};
        if (stopping_ || passed > timeout_ms) return std::nullopt;
        if (::poll(&waiting, 1, 20) > 0) break;
      }
      const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (count <= 0) return std::nullopt;
      at_ = 0;
      filled_ = static_cast<size_t>(count);
    }
    return static_cast<uint8_t>(buffer_[at_++]);
  }

  int socket_;
  const std::atomic<bool>& stopping_;
  std::array<char, 65536> buffer_{};
  size_t at_ = 0;
  size_t filled_ = 0;
};

class HostileBroker {
 public:
  explicit HostileBroker(std::function<void(Wire&)> script)
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    MW_CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
             "a test needs a port");
    MW_CHECK(::listen(listener_.get(), 64) == 0, "a test needs a port");
    MW_CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "a test needs a port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~HostileBroker() {
    stopping_ = true;
    thread_.join();
  }
  HostileBroker(const HostileBroker&) = delete;
  HostileBroker& operator=(const HostileBroker&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  // When each connection was accepted, monotonic nanoseconds.
  [[nodiscard]] std::vector<int64_t> connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  void run() {
    while (!stopping_) {
      pollfd waiting{.fd = listener_.get(), .events = POLLIN};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const Descriptor socket(::accept(listener_.get(), nullptr, nullptr));
      if (!socket.valid()) continue;
      {
        const std::lock_guard lock(mutex_);
        connections_.push_back(SystemClock().monotonic_ns());
      }
      auto wire = std::make_unique<Wire>(socket.get(), stopping_);
      script_(*wire);
    }
  }

  std::function<void(Wire&)> script_;
  Descriptor listener_;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<int64_t> connections_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Memory of this process that is in RAM, bytes.
inline int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0;
  file >> pages >> pages;
  return pages * ::getpagesize();
}

}  // namespace millwright::net::mqtt
