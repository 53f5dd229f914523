// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "edge/plc/request.h"

namespace millwright::edge::plc {

inline constexpr uint16_t kModbusPort = 502;

struct PlcOptions {
  enum class Role : uint8_t { kServer, kClient };
  Role role = Role::kServer;
  std::string address = "127.0.0.1";  // IPv4: to listen on, or the PLC's
  uint16_t port = kModbusPort;        // 0: any free one, for tests
  RegisterMap map;
  std::string
      from;  // server: the only peer that may write the control registers, and that counts as the PLC; empty: any
  int64_t timeout_ms = 200;  // client: of one transaction
  bool operator==(const PlcOptions&) const = default;
};

}  // namespace millwright::edge::plc
