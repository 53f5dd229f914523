// SPDX-License-Identifier: Apache-2.0
// The packets of MQTT 5 that a client of QoS 0 and 1 needs, written and read (OASIS MQTT Version 5.0, sections 2 and
// 3). What comes in is a stranger's: every length is checked, and what this client never asked for is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "net/mqtt/message.h"

namespace millwright::net::mqtt {

// ---- written; all append to `out`
struct ConnectFields {
  std::string client_id;
  uint16_t keepalive_s = 30;
  uint32_t session_expiry_s = 0;         // 0: a clean start
  uint32_t packet_limit = 0;             // what we take at most
  std::string user, password;            // both or neither
  std::string will_topic, will_payload;  // QoS 1, retained; an empty topic: none
};
void append_connect(std::string& out, const ConnectFields& fields);
void append_publish(std::string& out, const Message& message, uint16_t packet_id);
void append_subscribe(std::string& out, uint16_t packet_id, const std::vector<std::string>& filters);
void append_puback(std::string& out, uint16_t packet_id);
void append_pingreq(std::string& out);
void append_disconnect(std::string& out);
// The bytes that append_publish makes.
size_t publish_size(const Message& message);

// A topic that can be published to: 1 to 65,535 bytes of UTF-8 without wildcards or NUL.
bool is_topic(std::string_view topic);

// ---- read
struct Connack {
  uint8_t reason = 0;
  uint16_t receive_maximum = UINT16_MAX;
  uint32_t packet_limit = UINT32_MAX;
  uint8_t maximum_qos = 1;
  bool retain_available = true;
  std::optional<uint16_t> keepalive_s;
};
struct Inbound {
  std::string_view topic;
  std::string_view payload;
  uint16_t packet_id = 0;  // 0: QoS 0
  bool retained = false;
};
struct Puback {
  uint16_t packet_id = 0;
  uint8_t reason = 0;
};
struct Suback {
  uint16_t packet_id = 0;
  std::string_view codes;  // one byte for each filter, if the broker keeps to the rules
};
struct Pingresp {};
struct ServerDisconnect {
  uint8_t reason = 0;
};
using Packet = std::variant<Connack, Inbound, Puback, Suback, Pingresp, ServerDisconnect>;

struct Frame {
  uint8_t first = 0;  // type and flags
  std::string_view body;
  size_t size = 0;  // with its header
};
// The frame at the beginning of `bytes`; nothing where it is not whole yet. kTooLarge as soon as its header claims more
// than `limit` bytes; kCorrupt for a length of more than four bytes.
Result<std::optional<Frame>> next_frame(std::string_view bytes, size_t limit);

// Views into the frame. kCorrupt for anything that a broker may not send to this client.
Result<Packet> parse_packet(const Frame& frame);

}  // namespace millwright::net::mqtt
