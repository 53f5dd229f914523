// SPDX-License-Identifier: Apache-2.0
// A port of the loopback for a server that is started now.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright {

// A port that nobody listened on a moment ago; another process may take it first. `type`: SOCK_STREAM or SOCK_DGRAM.
inline Result<uint16_t> free_port(int type = SOCK_STREAM) {
  const Descriptor probe(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail(ErrorCode::kUnavailable, "no free port on 127.0.0.1");
  }
  return ntohs(address.sin_port);
}

}  // namespace millwright
