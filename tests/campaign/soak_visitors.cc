// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak_visitors.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace millwright::campaign {
namespace {

constexpr size_t kChunk = 65'536;

std::string request(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
}

bool send_all(const Descriptor& socket, const std::string& text) {
  return ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// How many series of this family stand at something else than 0.
uint64_t not_zero(const std::string& page, const std::string& family) {
  uint64_t found = 0;
  for (size_t at = page.find("\n" + family + "{"); at != std::string::npos;
       at = page.find("\n" + family + "{", at + 1)) {
    const size_t end = page.find('\n', at + 1);
    const size_t space = page.rfind(' ', end);
    if (page.substr(space + 1, end - space - 1) != "0") ++found;
  }
  return found;
}

}  // namespace

Descriptor connect_to(uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) socket.reset();
  return socket;
}

std::string get(uint16_t port, const std::string& path) {
  const Descriptor socket = connect_to(port);
  std::string page;
  if (!socket.valid() || !send_all(socket, request(path))) return page;
  std::vector<char> chunk(kChunk);
  ssize_t n = 0;
  while ((n = ::recv(socket.get(), chunk.data(), chunk.size(), 0)) > 0)
    page.append(chunk.data(), static_cast<size_t>(n));
  return n == 0 ? page : std::string();
}

Visitors::Visitors(uint16_t port, double per_second)
    : port_(port), per_second_(per_second), scraper_([this] { scrape(); }), page_([this] { read_events(); }) {}

Visitors::~Visitors() {
  stopped_ = true;
  scraper_.join();
  page_.join();
}

bool Visitors::wait(double seconds) const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!stopped_ && std::chrono::steady_clock::now() < until) {
    const std::chrono::duration<double> left = until - std::chrono::steady_clock::now();
    ::poll(nullptr, 0, static_cast<int>(std::clamp(left.count() * 1e3, 1.0, 100.0)));
  }
  return !stopped_;
}

void Visitors::scrape() {
  do {
    const std::string page = get(port_, "/metrics");
    const bool whole = page.find("edge_strokes_total") != std::string::npos;
    ++(whole ? scrapes : scrapes_refused);
    strokes_missing += not_zero(page, "edge_strokes_missing");
  } while (wait(1.0 / per_second_));
}

void Visitors::read_events() {
  do {
    const Descriptor socket = connect_to(port_);
    if (!socket.valid() || !send_all(socket, request("/events"))) continue;
    ++page_connects;
    std::vector<char> chunk(kChunk);
    while (!stopped_) {
      const ssize_t n = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
      events += n < 0 ? 0 : static_cast<uint64_t>(std::count(chunk.begin(), chunk.begin() + n, '\n')) / 3;
    }
  } while (wait(0.2));
}

void BadVisitors::send_and_hang(uint16_t port, const std::string& text, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    Descriptor socket = connect_to(port);
    if (socket.valid()) (void)send_all(socket, text);
    sockets_.push_back(std::move(socket));
  }
}

}  // namespace millwright::campaign
