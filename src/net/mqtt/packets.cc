// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/packets.h"

#include <algorithm>

#include "model/topics.h"

namespace millwright::net::mqtt {
namespace {

constexpr uint8_t kConnect = 0x10, kConnack = 0x20, kPublish = 0x30, kPuback = 0x40, kSubscribe = 0x82, kSuback = 0x90,
                  kPingreq = 0xC0, kPingresp = 0xD0, kDisconnect = 0xE0;
constexpr uint8_t kSessionExpiry = 0x11, kServerKeepAlive = 0x13, kReceiveMaximum = 0x21, kTopicAlias = 0x23,
                  kMaximumQos = 0x24, kRetainAvailable = 0x25, kMaximumPacketSize = 0x27;

void append_u16(std::string& out, uint32_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}

void append_u32(std::string& out, uint32_t value) {
  append_u16(out, value >> 16);
  append_u16(out, value & 0xFFFF);
}

void append_length(std::string& out, size_t value) {
  do {
    const auto more = value >= 0x80 ? 0x80U : 0U;
    out += static_cast<char>((value & 0x7F) | more);
    value >>= 7;
  } while (value > 0);
}

size_t length_size(size_t value) { return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4; }

void append_text(std::string& out, std::string_view text) {
  append_u16(out, static_cast<uint32_t>(text.size()));
  out += text;
}

void append_frame(std::string& out, uint8_t first, std::string_view body) {
  out += static_cast<char>(first);
  append_length(out, body.size());
  out += body;
}

size_t publish_body_size(const Message& message) {
  return 2 + message.topic.size() + (message.qos > 0 ? 2 : 0) + 1 + message.payload.size();
}

// Walks over a body; the first step beyond its end makes all that follow fail.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  std::string_view bytes(size_t count) {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint32_t number(size_t count) {
    uint32_t value = 0;
    for (const char byte : bytes(count)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view text() { return bytes(number(2)); }
  size_t length() {
    size_t value = 0;
    for (int shift = 0; shift < 28; shift += 7) {
      const uint32_t byte = number(1);
      value |= size_t{byte & 0x7F} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// How the value of a property is written (section 2.2.2.2).
enum class Form { kByte, kTwo, kFour, kLength, kText, kPair, kUnknown };
Form form_of(uint32_t property) {
  switch (property) {
    case 0x01:
    case 0x17:
    case 0x19:
    case kMaximumQos:
    case kRetainAvailable:
    case 0x28:
    case 0x29:
    case 0x2A: return Form::kByte;
    case kServerKeepAlive:
    case kReceiveMaximum:
    case 0x22:
    case kTopicAlias: return Form::kTwo;
    case 0x02:
    case kSessionExpiry:
    case 0x18:
    case kMaximumPacketSize: return Form::kFour;
    case 0x0B: return Form::kLength;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1A:
    case 0x1C:
    case 0x1F: return Form::kText;
    case 0x26: return Form::kPair;
    default: return Form::kUnknown;
  }
}

// Calls `number(property, value)` for those that are numbers, and passes over the others. False: not well formed.
template <typename Function>
bool read_properties(Reader& reader, Function&& number) {
  Reader properties(reader.bytes(reader.length()));
  while (reader.good() && properties.good() && !properties.at_end()) {
    const uint32_t property = properties.number(1);
    switch (form_of(property)) {
      case Form::kByte: number(property, properties.number(1)); break;
      case Form::kTwo: number(property, properties.number(2)); break;
      case Form::kFour: number(property, properties.number(4)); break;
      case Form::kLength: number(property, static_cast<uint32_t>(properties.length())); break;
      case Form::kText: properties.text(); break;
      case Form::kPair:
        properties.text();
        properties.text();
        break;
      case Form::kUnknown: return false;
    }
  }
  return reader.good() && properties.good();
}

bool skip_properties(Reader& reader) {
  return read_properties(reader, [](uint32_t, uint32_t) {});
}

std::unexpected<Error> malformed(std::string_view what) { return fail(ErrorCode::kCorrupt, "a malformed {}", what); }

Result<Packet> parse_connack(Reader reader) {
  const uint32_t flags = reader.number(1);
  Connack connack{.reason = static_cast<uint8_t>(reader.number(1))};
  if (!reader.good() || flags > 1) return malformed("CONNACK");
  // A broker of MQTT 3.1.1 ends here.
  if (reader.at_end()) return connack;
  const bool good = read_properties(reader, [&connack](uint32_t property, uint32_t value) {
    if (property == kReceiveMaximum) connack.receive_maximum = static_cast<uint16_t>(value);
    if (property == kMaximumPacketSize) connack.packet_limit = value;
    if (property == kMaximumQos) connack.maximum_qos = static_cast<uint8_t>(std::min(value, 1U));
    if (property == kRetainAvailable) connack.retain_available = value != 0;
    if (property == kServerKeepAlive) connack.keepalive_s = static_cast<uint16_t>(value);
  });
  if (!good || !reader.at_end() || connack.receive_maximum == 0 || connack.packet_limit == 0)
    return malformed("CONNACK");
  return connack;
}

Result<Packet> parse_publish(uint8_t flags, Reader reader) {
  const int qos = flags >> 1 & 3;
  if (qos > 1) return fail(ErrorCode::kCorrupt, "a PUBLISH of QoS {}, which was not asked for", qos);
  Inbound inbound{.topic = reader.text(), .retained = (flags & 1) != 0};
  if (qos == 1) inbound.packet_id = static_cast<uint16_t>(reader.number(2));
  bool alias = false;
  const bool good =
      read_properties(reader, [&alias](uint32_t property, uint32_t) { alias |= property == kTopicAlias; });
  if (!good || alias || (qos == 1 && inbound.packet_id == 0) || !is_topic(inbound.topic)) return malformed("PUBLISH");
  inbound.payload = reader.rest();
  return inbound;
}

Result<Packet> parse_puback(Reader reader) {
  Puback puback{.packet_id = static_cast<uint16_t>(reader.number(2))};
  if (!reader.at_end()) puback.reason = static_cast<uint8_t>(reader.number(1));
  if (!reader.good() || (!reader.at_end() && !skip_properties(reader)) || !reader.at_end()) return malformed("PUBACK");
  return puback;
}

Result<Packet> parse_suback(Reader reader) {
  Suback suback{.packet_id = static_cast<uint16_t>(reader.number(2))};
  if (!skip_properties(reader)) return malformed("SUBACK");
  suback.codes = reader.rest();
  return suback;
}

}  // namespace

void append_connect(std::string& out, const ConnectFields& fields) {
  std::string body;
  append_text(body, "MQTT");
  const bool will = !fields.will_topic.empty();
  uint8_t flags = fields.session_expiry_s == 0 ? 0x02 : 0;
  if (will) flags |= 0x04 | 0x08 | 0x20;
  if (!fields.user.empty()) flags |= 0xC0;
  body += '\x05';
  body += static_cast<char>(flags);
  append_u16(body, fields.keepalive_s);
  append_length(body, 10);
  body += static_cast<char>(kSessionExpiry);
  append_u32(body, fields.session_expiry_s);
  body += static_cast<char>(kMaximumPacketSize);
  append_u32(body, fields.packet_limit);
  append_text(body, fields.client_id);
  if (will) {
    append_length(body, 0);
    append_text(body, fields.will_topic);
    append_text(body, fields.will_payload);
  }
  if (!fields.user.empty()) {
    append_text(body, fields.user);
    append_text(body, fields.password);
  }
  append_frame(out, kConnect, body);
}

size_t publish_size(const Message& message) {
  const size_t body = publish_body_size(message);
  return 1 + length_size(body) + body;
}

void append_publish(std::string& out, const Message& message, uint16_t packet_id) {
  out += static_cast<char>(kPublish | (message.qos > 0 ? 2 : 0) | (message.retain ? 1 : 0));
  append_length(out, publish_body_size(message));
  append_text(out, message.topic);
  if (message.qos > 0) append_u16(out, packet_id);
  append_length(out, 0);
  out += message.payload;
}

void append_subscribe(std::string& out, uint16_t packet_id, const std::vector<std::string>& filters) {
  std::string body;
  append_u16(body, packet_id);
  append_length(body, 0);
  for (const std::string& filter : filters) {
    append_text(body, filter);
    body += '\x01';
  }
  append_frame(out, kSubscribe, body);
}

void append_puback(std::string& out, uint16_t packet_id) {
  std::string body;
  append_u16(body, packet_id);
  append_frame(out, kPuback, body);
}

void append_pingreq(std::string& out) { append_frame(out, kPingreq, {}); }
void append_disconnect(std::string& out) { append_frame(out, kDisconnect, {}); }

bool is_topic(std::string_view topic) {
  return !topic.empty() && topic.size() <= UINT16_MAX && model::is_utf8(topic) &&
         topic.find_first_of(std::string_view("+#\0", 3)) == std::string_view::npos;
}

Result<std::optional<Frame>> next_frame(std::string_view bytes, size_t limit) {
  size_t length = 0;
  for (size_t i = 1; i <= 4; ++i) {
    if (i >= bytes.size()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(bytes[i]);
    length |= size_t{byte & 0x7FU} << (7 * (i - 1));
    if ((byte & 0x80) != 0) continue;
    const size_t size = 1 + i + length;
    if (size > limit) return fail(ErrorCode::kTooLarge, "a packet of {} bytes, above {}", size, limit);
    if (size > bytes.size()) return std::nullopt;
    return Frame{.first = static_cast<uint8_t>(bytes[0]), .body = bytes.substr(1 + i, length), .size = size};
  }
  return fail(ErrorCode::kCorrupt, "a packet whose length has more than four bytes");
}

Result<Packet> parse_packet(const Frame& frame) {
  const Reader reader(frame.body);
  if ((frame.first & 0xF0) == kPublish) return parse_publish(frame.first & 0x0F, reader);
  switch (frame.first) {
    case kConnack: return parse_connack(reader);
    case kPuback: return parse_puback(reader);
    case kSuback: return parse_suback(reader);
    case kPingresp:
      if (!frame.body.empty()) return malformed("PINGRESP");
      return Pingresp{};
    case kDisconnect:
      return ServerDisconnect{.reason = frame.body.empty() ? uint8_t{0} : static_cast<uint8_t>(frame.body[0])};
    default: return fail(ErrorCode::kCorrupt, "a packet 0x{:02X} that nobody asked for", frame.first);
  }
}

}  // namespace millwright::net::mqtt
