// SPDX-License-Identifier: Apache-2.0
// An MQTT 5 client that keeps itself connected. One thread of its own does all that can wait; every method here returns
// at once. It stores nothing: what the broker has not answered comes back as kUnanswered, and the caller's store sends
// it again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/mqtt/client_options.h"
#include "net/mqtt/message.h"

namespace millwright::net::mqtt {

// Called on the client's thread, one at a time; none after stop() has returned. May publish; must not stop the client.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void on_connected() {}
  // Also for an attempt that failed. One line that a plant engineer can act on.
  virtual void on_disconnected(std::string_view /*why*/) {}
  virtual void on_delivery(const Delivery& /*delivery*/) {}
  // The broker's answer to this client's own status; kReasonFirstError and above: it was not published.
  virtual void on_status_answered(uint8_t /*reason*/) {}
  // The broker's answer to one of ClientOptions::filters; an error: nothing will come in for it.
  virtual void on_subscribed(std::string_view /*filter*/, const Status& /*result*/) {}
  // Before messages are read: none of them came before this monotonic instant, at which the socket was seen empty.
  virtual void on_reading(int64_t /*emptied_ns*/) {}
  // After nudge(), while a broker has accepted this client: the time to publish what another thread has left ready.
  virtual void on_nudged() {}
  // Any bytes from anybody. The views end with the call.
  virtual void on_message(std::string_view /*topic*/, std::string_view /*payload*/, bool /*retained*/) {}
};

// Since the start, except where it says now.
struct ClientFigures {
  uint64_t attempts = 0;
  uint64_t connects = 0;    // attempts that the broker accepted
  uint64_t accepted = 0;    // messages
  uint64_t refused = 0;     // messages: reason 0x80 or above
  uint64_t unanswered = 0;  // messages that came back because the connection ended
  uint64_t sent_bytes = 0;  // payload of messages handed to the socket
  uint64_t received = 0;    // messages that came in
  uint64_t received_bytes = 0;
  uint64_t oversized = 0;  // came in above inbound_limit and were not handed on
  uint64_t strange = 0;    // answers to what was never asked
  uint64_t in_flight = 0;  // now
  uint64_t queued = 0;     // now
  bool connected = false;  // now
};

class Client final : public Publisher {
 public:
  // `events` must outlive the client. An error only where the options can never work (check_shape); a missing
  // certificate or an unknown host is tried again, since it may appear.
  static Result<std::unique_ptr<Client>> start(ClientOptions options, ClientEvents& events);
  ~Client() override;

  [[nodiscard]] bool connected() const override;
  [[nodiscard]] size_t room() const override;
  [[nodiscard]] bool publish(Message message) override;

  // Any thread, also one that may neither lock, allocate nor wait: on_nudged() will be called. Several may become one.
  void nudge() noexcept;

  // Says offline, disconnects, gives back what is unanswered. At most two seconds, whatever the network does.
  void stop();

  // Any thread.
  [[nodiscard]] ClientFigures figures() const;
  [[nodiscard]] std::string last_error() const;  // why the last connection or attempt ended; empty: none has

 private:
  class Worker;
  explicit Client(std::shared_ptr<Worker> worker);
  std::shared_ptr<Worker> worker_;  // its thread shares it, for the case that the system's connect outlives us
};

// One attempt, for `--check`: says what stands between this box and the broker. Blocks up to `timeout_ms`.
Status probe(ClientOptions options, int64_t timeout_ms);

}  // namespace millwright::net::mqtt
