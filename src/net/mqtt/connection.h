// SPDX-License-Identifier: Apache-2.0
// One connection to a broker, from TCP to its end. Made anew for each attempt, so that nothing of a lost connection
// (queues, half packets, packet ids) lives on in the next.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/mqtt/client_options.h"
#include "net/mqtt/message.h"
#include "net/mqtt/packets.h"
#include "net/mqtt/transport.h"

namespace millwright::net::mqtt {

// What a broker says, as it says it: packet ids and codes may be anything. Called from within read() and write().
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  virtual void on_accepted() = 0;
  // Also for QoS 0, with reason 0, as soon as the message is written to the socket.
  virtual void on_answered(int packet_id, uint8_t reason) = 0;
  // One code for each filter, if the broker keeps to the rules; perhaps none.
  virtual void on_subscribed(int packet_id, std::string_view codes) = 0;
  virtual void on_inbound(std::string_view topic, std::string_view payload, bool retained) = 0;
};

// One thread. Every Status that is an error ends the connection; its message says why.
class Connection {
 public:
  Connection(const ClientOptions& options, ConnectionEvents& events)
      : options_(options), events_(events), transport_(options) {}

  // Reads the files that the options name.
  Status prepare();
  // Resolves and begins to connect, after prepare(). Blocks as long as the system's resolver does; touches nothing but
  // this connection and its options meanwhile.
  Status open();

  // For poll().
  [[nodiscard]] int socket() const { return transport_.socket(); }
  [[nodiscard]] bool wants_write() const { return transport_.wants_write(written_ < out_.size()); }
  [[nodiscard]] bool has_more() const { return transport_.has_more(); }
  Status read();
  // The last read() left nothing behind.
  [[nodiscard]] bool drained() const { return transport_.drained(); }
  Status write();
  Status keep_alive();  // about once a second

  struct Sent {
    int packet_id = 0;
    uint8_t reason = 0;  // at or above 0x80: refused before it was sent, since this broker does not take it; no id
  };
  // Takes it to be written with the next write().
  Sent publish(const Message& message);
  int subscribe(const std::vector<std::string>& filters);
  // How many messages may be unanswered: ours, or fewer where the broker says so.
  [[nodiscard]] size_t window() const;

  // DISCONNECT, written as far as the socket takes it within `timeout_ms`.
  void close(int timeout_ms);

 private:
  [[nodiscard]] uint32_t packet_limit() const;
  Status handle(const Frame& frame);
  Status handle_connack(const Connack& connack);
  Status explain(Status ended) const;
  std::string why_refused(uint8_t reason) const;
  int next_id();
  [[nodiscard]] int64_t keepalive_ns() const;
  [[nodiscard]] std::string where() const { return fmt::format("broker {}:{}", options_.host, options_.port); }

  struct Unwritten {
    uint64_t until;  // byte of the whole stream at which the message ends
    int packet_id;
  };

  const ClientOptions& options_;
  ConnectionEvents& events_;
  Transport transport_;
  std::string in_;
  std::string out_;
  size_t written_ = 0;               // of out_
  uint64_t written_before_ = 0;      // bytes of the stream before out_
  std::deque<Unwritten> unwritten_;  // messages of QoS 0
  std::optional<Connack> accepted_;
  uint16_t last_id_ = 0;
  int last_id_of_qos0_ = UINT16_MAX;
  int64_t sent_ns_ = 0;
  int64_t received_ns_ = 0;
  int64_t pinged_ns_ = 0;  // 0: no answer is due
};

}  // namespace millwright::net::mqtt
