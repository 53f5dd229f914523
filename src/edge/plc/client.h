// SPDX-License-Identifier: Apache-2.0
// We write into the PLC: Modbus TCP client on a thread of its own. The block goes in one transaction, on every verdict,
// trigger and heartbeat, always as it stands at that moment; nothing is queued, so nothing old is ever written later.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/error.h"
#include "edge/plc/link.h"
#include "edge/plc/plc_options.h"

namespace millwright::edge::plc {

// What failed at the PLC, and what to look at; `error` is errno as libmodbus left it.
std::string failure_words(const PlcOptions& options, LinkStep step, int error);

class Client {
 public:
  // kInvalidInput where the address is none. Whether the PLC is there shows later: an agent starts without it.
  static Result<std::unique_ptr<Client>> start(const PlcOptions& options, Link& link);
  // Whether the PLC answers, and both blocks can be read; writes nothing.
  static Status can_reach(const PlcOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

 private:
  class Connection;
  Client(const PlcOptions& options, Link& link);
  void run();
  // Each: false where it failed, with errno as libmodbus left it.
  bool reach(Connection& connection);
  bool exchange(Connection& connection);
  bool wait(int64_t timeout_ms) const;

  PlcOptions options_;
  Link& link_;
  LinkStep step_ = LinkStep::kConnect;  // the thread's own
  std::thread thread_;
};

}  // namespace millwright::edge::plc
