// SPDX-License-Identifier: Apache-2.0
// What is published, what became of it, and the seam between those who have something to say and the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "net/mqtt/reason_codes.h"

namespace millwright::net::mqtt {

struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;  // 0 or 1
  bool retain = false;
  uint64_t token = 0;  // the caller's; comes back in the Delivery
};

enum class Outcome : uint8_t {
  kAccepted,    // QoS 1: the broker took it (not: has it on disk); QoS 0: it is written to the socket
  kRefused,     // the broker said no, for good as far as it knows; see the reason
  kUnanswered,  // the connection ended first: it may have arrived or not; send it again
};

struct Delivery {
  uint64_t token = 0;
  Outcome outcome = Outcome::kUnanswered;
  uint8_t reason = 0;  // of MQTT 5; kReasonNoSubscriber is an accepted one

  [[nodiscard]] bool nobody_listened() const { return outcome == Outcome::kAccepted && reason == kReasonNoSubscriber; }
};

// Who sends needs no more than this; a test stands in for it. Any thread; never blocks.
class Publisher {
 public:
  virtual ~Publisher() = default;
  // A broker has accepted this client. A snapshot.
  [[nodiscard]] virtual bool connected() const = 0;
  // How many more messages would be taken now.
  [[nodiscard]] virtual size_t room() const = 0;
  // False: not taken, and nothing will be heard of it; not connected, or the queue is full. True: exactly one Delivery
  // with its token follows, whatever happens.
  [[nodiscard]] virtual bool publish(Message message) = 0;
};

}  // namespace millwright::net::mqtt
