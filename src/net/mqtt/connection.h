// SPDX-License-Identifier: Apache-2.0
// One connection to a broker, from TCP to its end; the only code that calls libmosquitto. Made anew for each attempt,
// so that nothing of a lost connection (queues, half packets, packet ids) lives on in the next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/mqtt/client_options.h"
#include "net/mqtt/message.h"
#include "net/mqtt/tls_context.h"

struct mosquitto;

namespace millwright::net::mqtt {

// What a broker says, as it says it: packet ids and codes may be anything. Called from within read() and write().
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  virtual void on_accepted() = 0;
  virtual void on_answered(int packet_id, uint8_t reason) = 0;
  // One code for each filter, if the broker keeps to the rules; perhaps none.
  virtual void on_subscribed(int packet_id, std::span<const int> codes) = 0;
  virtual void on_inbound(std::string_view topic, std::string_view payload, bool retained) = 0;
};

// One thread. Every Status that is an error ends the connection; its message says why.
class Connection {
 public:
  Connection(const ClientOptions& options, ConnectionEvents& events);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Reads the files that the options name.
  Status prepare();
  // Resolves, connects and writes CONNECT, after prepare(). Blocks as long as the system's connect does; touches
  // nothing but this connection and its options meanwhile.
  Status open();

  [[nodiscard]] int socket() const;
  [[nodiscard]] bool wants_write() const;
  Status read();
  Status write();
  Status keep_alive();  // about once a second

  struct Sent {
    int packet_id = 0;
    bool done = false;   // answered within the call: QoS 0 is done when it is written
    uint8_t reason = 0;  // at or above 0x80: this message was refused before it was sent; packet_id is 0
  };
  Result<Sent> publish(const Message& message);
  Result<int> subscribe(const std::vector<std::string>& filters);

  // DISCONNECT, written as far as the socket takes it within `timeout_ms`.
  void close(int timeout_ms);

 private:
  friend struct MosquittoCallbacks;
  Status prepare_tls();
  Status ended(int code, int system_error);
  std::string why_unreachable(int code, int system_error) const;
  std::string why_refused() const;
  Status check_inbound_bytes();

  const ClientOptions& options_;
  ConnectionEvents& events_;
  std::unique_ptr<TlsContext> tls_;  // outlives the handle
  std::unique_ptr<mosquitto, void (*)(mosquitto*)> handle_;
  bool accepted_ = false;
  int connack_reason_ = 0;
  int end_reason_ = 0;  // the broker's own DISCONNECT, or libmosquitto's code
  int sending_id_ = 0;  // within mosquitto_publish
  bool sent_at_once_ = false;
  // Bytes that came in and bytes that turned into events: a broker that sends what never becomes an event fills memory.
  uint64_t explained_bytes_ = 0;
  uint32_t events_since_check_ = 0;
  uint32_t reads_without_event_ = 0;
  int64_t opened_ns_ = 0;
};

}  // namespace millwright::net::mqtt
