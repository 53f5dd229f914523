// SPDX-License-Identifier: Apache-2.0
// A bad link: TCP on loopback from one port to another, on a thread of its own, which does to the next message what it
// was told.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "base/descriptor.h"

namespace millwright::campaign {

enum class LinkFault : uint8_t {
  kNone,
  kCut,       // the message is lost, and the connection with it
  kHalf,      // half of the message comes, then the connection is lost
  kLate,      // the message comes late
  kHalfLate,  // half of it comes late
};

class FaultProxy {
 public:
  explicit FaultProxy(uint16_t to_port);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  // For the next message that passes, whichever way; any thread.
  void arm(LinkFault fault, int64_t delay_ns);
  [[nodiscard]] uint64_t done() const { return done_; }
  // The cable is out: every connection ends, and new ones end at once. Any thread.
  void unplug(bool out);
  // Where connections go from now on; those that stand stay.
  void redirect(uint16_t to_port) { to_port_ = to_port; }
  // Connections that somebody tried to make through it.
  [[nodiscard]] uint64_t accepted() const { return accepted_; }

 private:
  struct Held {
    std::vector<uint8_t> bytes;
    int64_t due_ns = 0;
    bool last = false;  // the connection ends with it
  };
  struct Way {
    Descriptor socket;
    std::deque<Held> out;  // what waits to be sent to this socket
  };
  struct Pair {
    Way ends[2];
    bool dead = false;
  };
  void run();
  void wake() const;
  void accept_pair();
  void pass(Pair& pair, int from);
  void flush(Pair& pair, int64_t now_ns);

  std::atomic<uint16_t> to_port_;
  uint16_t port_ = 0;
  Descriptor listener_;
  Descriptor event_;
  std::list<Pair> pairs_;
  std::atomic<uint8_t> fault_{0};
  std::atomic<int64_t> delay_ns_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<bool> unplugged_{false};
  std::atomic<uint64_t> accepted_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace millwright::campaign
