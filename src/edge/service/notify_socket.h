// SPDX-License-Identifier: Apache-2.0
// How a service talks to systemd (sd_notify(3)): datagrams of NAME=value lines to the socket that NOTIFY_SOCKET names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace millwright::edge {

class NotifySocket {
 public:
  // A path, or an abstract name behind '@'; anything else, and nothing, is nobody who listens.
  explicit NotifySocket(std::string_view address);

  [[nodiscard]] bool anybody() const { return socket_.valid(); }
  // Any thread. Never waits: what the manager has no room for is lost. Whether it went out.
  bool tell(std::string_view lines) const noexcept;

 private:
  Descriptor socket_;
  std::string address_;  // as the kernel wants it: a leading 0 for an abstract name
};

// What the environment says, taken out of it, so that no child believes to be the service.
struct ServiceEnvironment {
  std::string notify_socket;
  int64_t watchdog_ns = 0;  // 0: nobody watches this process
};
// In main's thread, before any other.
ServiceEnvironment take_service_environment();

}  // namespace millwright::edge
