// SPDX-License-Identifier: Apache-2.0
#include "edge/service/notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/numbers.h"

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerMicro = 1'000;
constexpr int64_t kLongestWatchdogUs = 86'400'000'000;

std::string taken(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

}  // namespace

NotifySocket::NotifySocket(std::string_view address) {
  if (address.size() < 2 || address.size() >= sizeof(sockaddr_un::sun_path)) return;
  if (address[0] != '/' && address[0] != '@') return;
  address_ = address;
  if (address_[0] == '@') address_[0] = '\0';
  socket_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Not connected: a manager that was started again listens at the same name.
bool NotifySocket::tell(std::string_view lines) const noexcept {
  if (!anybody()) return false;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  return ::sendto(socket_.get(), lines.data(), lines.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&to), size) == static_cast<ssize_t>(lines.size());
}

ServiceEnvironment take_service_environment() {
  ServiceEnvironment found{.notify_socket = taken("NOTIFY_SOCKET")};
  const std::string pid = taken("WATCHDOG_PID");
  const auto micros = parse_int(taken("WATCHDOG_USEC"));
  const bool ours = pid.empty() || pid == std::to_string(::getpid());
  if (ours && micros && *micros > 0 && *micros <= kLongestWatchdogUs) found.watchdog_ns = *micros * kNanosPerMicro;
  return found;
}

}  // namespace millwright::edge
