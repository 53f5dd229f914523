// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/clock.h"

namespace millwright::net::mqtt {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr size_t kLeastPacketLimit = 256 * 1024;
constexpr size_t kMostAroundPayload = 128 * 1024;  // topic and properties
constexpr size_t kReadAtOnce = 128 * 1024;
constexpr size_t kFirstIdOfQos0 = size_t{UINT16_MAX} + 1;

int64_t now_ns() { return SystemClock().monotonic_ns(); }

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

Status Connection::prepare() {
  MW_CHECK_OK(transport_.prepare());
  ConnectFields fields{.client_id = options_.client_id,
                       .keepalive_s = options_.keepalive_s,
                       .session_expiry_s = options_.session_expiry_s,
                       .packet_limit = packet_limit()};
  if (!options_.credentials_file.empty()) {
    const Credentials credentials = MW_TRY(read_credentials(options_.credentials_file));
    fields.user = credentials.user;
    fields.password = credentials.password;
  }
  if (!options_.status_topic.empty()) {
    fields.will_topic = options_.status_topic;
    fields.will_payload = options_.status(false);
  }
  append_connect(out_, fields);
  return {};
}

Status Connection::open() {
  sent_ns_ = received_ns_ = now_ns();
  return transport_.open();
}

size_t Connection::window() const {
  return std::min<size_t>(options_.in_flight, accepted_ ? accepted_->receive_maximum : 0);
}

// What a lost connection means before the broker has accepted us.
Status Connection::explain(Status ended) const {
  if (ended || accepted_ || !options_.tls || !options_.tls->certificate_file.empty()) return ended;
  if (ended.error().code == ErrorCode::kUnavailable && ended.error().message.ends_with("closed the connection")) {
    ended.error().message += " before it accepted this client; it may demand a client certificate, and none is set";
  }
  return ended;
}

// What we tell the broker, and hold it to.
uint32_t Connection::packet_limit() const {
  return static_cast<uint32_t>(std::max(kLeastPacketLimit, options_.inbound_limit + kMostAroundPayload));
}

Status Connection::read() {
  const auto step = [this]() -> Status {
    if (!MW_TRY(transport_.established())) return {};
    for (size_t taken = 0; taken < kReadAtOnce;) {
      const size_t count = MW_TRY(transport_.read(in_, kReadAtOnce - taken));
      if (count == 0) break;
      taken += count;
      received_ns_ = now_ns();
      std::string_view rest = in_;
      while (true) {
        const std::optional<Frame> frame =
            MW_TRY_IN(where() + " does not keep to MQTT 5", next_frame(rest, packet_limit()));
        if (!frame) break;
        MW_CHECK_OK(handle(*frame));
        rest.remove_prefix(frame->size);
      }
      in_.erase(0, in_.size() - rest.size());
      if (transport_.drained()) break;
    }
    return {};
  };
  return explain(step());
}

Status Connection::handle(const Frame& frame) {
  const Packet packet = MW_TRY_IN(where() + " does not keep to MQTT 5", parse_packet(frame));
  if (const auto* connack = std::get_if<Connack>(&packet)) return handle_connack(*connack);
  if (!accepted_) return fail(ErrorCode::kCorrupt, "{} does not keep to MQTT 5: it speaks before CONNACK", where());
  return std::visit(Overloaded{[](const Connack&) -> Status { return {}; },
                               [this](const Inbound& inbound) -> Status {
                                 if (inbound.packet_id != 0) append_puback(out_, inbound.packet_id);
                                 events_.on_inbound(inbound.topic, inbound.payload, inbound.retained);
                                 return {};
                               },
                               [this](const Puback& puback) -> Status {
                                 events_.on_answered(puback.packet_id, puback.reason);
                                 return {};
                               },
                               [this](const Suback& suback) -> Status {
                                 events_.on_subscribed(suback.packet_id, suback.codes);
                                 return {};
                               },
                               [this](const Pingresp&) -> Status {
                                 pinged_ns_ = 0;
                                 return {};
                               },
                               [this](const ServerDisconnect& end) -> Status {
                                 return fail(ErrorCode::kUnavailable, "{} ended the connection: {}{}", where(),
                                             reason_name(end.reason),
                                             end.reason == kReasonTakenOver ? who_else(options_) : "");
                               }},
                    packet);
}

Status Connection::handle_connack(const Connack& connack) {
  if (accepted_) return fail(ErrorCode::kCorrupt, "{} does not keep to MQTT 5: a second CONNACK", where());
  if (connack.reason != 0) return fail(ErrorCode::kRefused, "{}", why_refused(connack.reason));
  accepted_ = connack;
  events_.on_accepted();
  return {};
}

Status Connection::write() {
  const auto step = [this]() -> Status {
    if (!MW_TRY(transport_.established())) return {};
    while (written_ < out_.size()) {
      const size_t count = MW_TRY(transport_.write(std::string_view(out_).substr(written_)));
      if (count == 0) break;
      written_ += count;
      sent_ns_ = now_ns();
    }
    const uint64_t until = written_before_ + written_;
    // What is out is forgotten, also where a slow link never lets the rest run empty.
    constexpr size_t kForgetAt = 64 << 10;
    if (written_ == out_.size() || written_ >= kForgetAt) {
      written_before_ = until;
      out_.erase(0, written_);
      written_ = 0;
    }
    while (!unwritten_.empty() && unwritten_.front().until <= until) {
      const int packet_id = unwritten_.front().packet_id;
      unwritten_.pop_front();
      events_.on_answered(packet_id, 0);
    }
    return {};
  };
  return explain(step());
}

int64_t Connection::keepalive_ns() const {
  const uint16_t seconds = accepted_ && accepted_->keepalive_s ? *accepted_->keepalive_s : options_.keepalive_s;
  return seconds == 0 ? INT64_MAX : seconds * kNanosPerSecond;
}

Status Connection::keep_alive() {
  if (!accepted_) return {};
  const int64_t now = now_ns();
  const int64_t half = keepalive_ns() / 2;
  if (pinged_ns_ != 0) {
    if (now - pinged_ns_ <= half) return {};
    return fail(ErrorCode::kTimedOut, "{} did not answer within the keep-alive", where());
  }
  // Also where only we speak: a peer that is gone takes bytes for minutes.
  if (now - std::min(sent_ns_, received_ns_) < half) return {};
  append_pingreq(out_);
  pinged_ns_ = now;
  return {};
}

int Connection::next_id() {
  last_id_ = last_id_ == UINT16_MAX ? uint16_t{1} : static_cast<uint16_t>(last_id_ + 1);
  return last_id_;
}

Connection::Sent Connection::publish(const Message& message) {
  if (!is_topic(message.topic)) return {.reason = 0x90};
  if (message.qos > accepted_->maximum_qos) return {.reason = 0x9B};
  if (message.retain && !accepted_->retain_available) return {.reason = 0x9A};
  if (publish_size(message) > accepted_->packet_limit) return {.reason = 0x95};
  if (message.qos > 0) {
    const int id = next_id();
    append_publish(out_, message, static_cast<uint16_t>(id));
    return {.packet_id = id};
  }
  append_publish(out_, message, 0);
  // Not a packet id: none is sent. Beyond those that a broker can answer with.
  last_id_of_qos0_ = last_id_of_qos0_ == INT32_MAX ? static_cast<int>(kFirstIdOfQos0) : last_id_of_qos0_ + 1;
  unwritten_.push_back({.until = written_before_ + out_.size(), .packet_id = last_id_of_qos0_});
  return {.packet_id = last_id_of_qos0_};
}

int Connection::subscribe(const std::vector<std::string>& filters) {
  const int id = next_id();
  append_subscribe(out_, static_cast<uint16_t>(id), filters);
  return id;
}

void Connection::close(int timeout_ms) {
  const int64_t deadline = now_ns() + timeout_ms * kNanosPerMilli;
  append_disconnect(out_);
  while (wants_write() && now_ns() < deadline) {
    pollfd waiting{.fd = socket(), .events = POLLOUT};
    if (::poll(&waiting, 1, 50) < 0 || !write()) return;
  }
  // A socket that is closed with something unread resets the connection, and what we said last may be lost with it: the
  // broker then speaks our last will as well. It closes as soon as it has read that we go.
  ::shutdown(socket(), SHUT_WR);
  std::array<char, 4096> unheard{};
  while (now_ns() < deadline) {
    pollfd waiting{.fd = socket(), .events = POLLIN};
    if (::poll(&waiting, 1, 50) < 0) return;
    if (waiting.revents != 0 && ::recv(socket(), unheard.data(), unheard.size(), MSG_DONTWAIT) <= 0) return;
  }
}

std::string Connection::why_refused(uint8_t reason) const {
  const std::string begin = where() + " refused this client: ";
  switch (reason) {
    case 1:  // as MQTT 3.1.1 says it
    case 0x84: return begin + "it does not speak MQTT 5; update it";
    case 0x86: return begin + "wrong user or password; check the credentials file";
    case 0x87:
      return begin + (options_.credentials_file.empty()
                          ? "not authorised; it may want user and password, or it does not know this client id"
                          : "not authorised; check the credentials file and the broker's list of users");
    case 0x85: return fmt::format("{}client id '{}' is not valid", begin, options_.client_id);
    default: return fmt::format("{}{} (0x{:02X})", begin, reason_name(reason), reason);
  }
}

}  // namespace millwright::net::mqtt
