// SPDX-License-Identifier: Apache-2.0
// The PLC polls us: Modbus TCP server on a thread of its own. Every answer is encoded at the moment of its request.
// Peers are bounded in number, and none can keep the thread or the others waiting.
#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "edge/plc/link.h"
#include "edge/plc/plc_options.h"

namespace millwright::edge::plc {

// When one more comes, the one that has been silent longest goes: a PLC that polls is never that one.
inline constexpr size_t kMaxPeers = 8;

class Server {
 public:
  // kInvalidInput where the address is none or cannot be listened on.
  static Result<std::unique_ptr<Server>> start(const PlcOptions& options, Link& link);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  struct Peer {
    Descriptor socket;
    bool may_write = false;
    int64_t heard_ns = 0;
    size_t filled = 0;
    std::array<uint8_t, kMaxFrameBytes> bytes{};
  };
  Server(const PlcOptions& options, Descriptor socket, uint32_t from, Link& link);
  void run();
  std::vector<Peer>::iterator most_dispensable();
  void accept_peer();
  bool serve(Peer& peer);
  bool answer_frames(Peer& peer);

  RegisterMap map_;
  Link& link_;
  Descriptor socket_;
  uint16_t port_ = 0;
  uint32_t from_ = 0;  // IPv4, network order; 0: any
  std::vector<Peer> peers_;
  std::thread thread_;
};

// Whether the server could start; starts none. The reason where not.
Status can_listen(const PlcOptions& options);

}  // namespace millwright::edge::plc
