// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/connection.h"

#include <linux/tcp.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace millwright::net::mqtt {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kNanosPerMilli = 1'000'000;

// A packet that is larger, or as many bytes in packets that mean nothing, ends the connection.
constexpr uint64_t kUnexplainedLimit = uint64_t{1} << 20;
constexpr uint64_t kBytesPerEvent = 96;        // header, packet id, properties, TLS record
constexpr int64_t kUnexplainedPerSecond = 16;  // keep-alive answers
constexpr uint32_t kEventsPerCheck = 256;
constexpr uint32_t kReadsPerCheck = 16;
constexpr uint32_t kPacketLimit = 256 * 1024;  // what we tell the broker; a polite one keeps to it

int64_t now_ns() { return SystemClock().monotonic_ns(); }

void free_handle(mosquitto* handle) { mosquitto_destroy(handle); }

class Properties {
 public:
  ~Properties() { mosquitto_property_free_all(&list_); }
  Properties() = default;
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;
  void add(int id, uint32_t value) { (void)mosquitto_property_add_int32(&list_, id, value); }
  [[nodiscard]] const mosquitto_property* get() const { return list_; }

 private:
  mosquitto_property* list_ = nullptr;
};

// The reason for messages that libmosquitto itself will not send to this broker.
uint8_t refusal_of(int code) {
  switch (code) {
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET: return MQTT_RC_PACKET_TOO_LARGE;
    case MOSQ_ERR_QOS_NOT_SUPPORTED: return MQTT_RC_QOS_NOT_SUPPORTED;
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED: return MQTT_RC_RETAIN_NOT_SUPPORTED;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8: return MQTT_RC_TOPIC_NAME_INVALID;
    default: return 0;
  }
}

}  // namespace

// libmosquitto calls these on the thread that is in read(), write() or publish().
struct MosquittoCallbacks {
  static Connection& self(void* object) { return *static_cast<Connection*>(object); }

  static void explained(Connection& connection, size_t bytes) {
    connection.explained_bytes_ += bytes + kBytesPerEvent;
    ++connection.events_since_check_;
    connection.reads_without_event_ = 0;
  }

  static void on_connect(mosquitto*, void* object, int reason, int, const mosquitto_property*) noexcept {
    Connection& connection = self(object);
    explained(connection, 0);
    connection.connack_reason_ = reason;
    if (reason != 0 || connection.accepted_) return;
    connection.accepted_ = true;
    connection.events_.on_accepted();
  }

  static void on_disconnect(mosquitto*, void* object, int reason, const mosquitto_property*) noexcept {
    self(object).end_reason_ = reason;
  }

  static void on_publish(mosquitto*, void* object, int packet_id, int reason, const mosquitto_property*) noexcept {
    Connection& connection = self(object);
    explained(connection, 0);
    if (packet_id == connection.sending_id_) {
      connection.sent_at_once_ = true;
      return;
    }
    connection.events_.on_answered(packet_id, static_cast<uint8_t>(reason));
  }

  static void on_subscribe(mosquitto*, void* object, int packet_id, int count, const int* codes,
                           const mosquitto_property*) noexcept {
    explained(self(object), 0);
    self(object).events_.on_subscribed(packet_id, {codes, static_cast<size_t>(std::max(count, 0))});
  }

  static void on_message(mosquitto*, void* object, const mosquitto_message* message,
                         const mosquitto_property*) noexcept {
    const std::string_view topic(message->topic == nullptr ? "" : message->topic);
    const std::string_view payload(static_cast<const char*>(message->payload),
                                   static_cast<size_t>(std::max(message->payloadlen, 0)));
    explained(self(object), topic.size() + payload.size());
    self(object).events_.on_inbound(topic, payload, message->retain);
  }
};

Connection::Connection(const ClientOptions& options, ConnectionEvents& events)
    : options_(options), events_(events), handle_(nullptr, &free_handle) {
  static const int initialised = mosquitto_lib_init();
  (void)initialised;
}

Connection::~Connection() = default;

Status Connection::prepare_tls() {
  if (!options_.tls) return {};
  tls_ = MW_TRY(TlsContext::create(*options_.tls, options_.host));
  if (mosquitto_int_option(handle_.get(), MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) != MOSQ_ERR_SUCCESS ||
      mosquitto_void_option(handle_.get(), MOSQ_OPT_SSL_CTX, tls_->context()) != MOSQ_ERR_SUCCESS) {
    return fail(ErrorCode::kUnsupported, "broker: this libmosquitto was built without TLS");
  }
  return {};
}

Status Connection::prepare() {
  const bool clean_start = options_.session_expiry_s == 0;
  handle_.reset(mosquitto_new(options_.client_id.c_str(), clean_start, this));
  mosquitto* const handle = handle_.get();
  if (handle == nullptr) return fail(ErrorCode::kUnavailable, "broker: libmosquitto cannot make a client");
  mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(handle, MOSQ_OPT_SEND_MAXIMUM, options_.in_flight);
  mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_v5_callback_set(handle, &MosquittoCallbacks::on_connect);
  mosquitto_disconnect_v5_callback_set(handle, &MosquittoCallbacks::on_disconnect);
  mosquitto_publish_v5_callback_set(handle, &MosquittoCallbacks::on_publish);
  mosquitto_subscribe_v5_callback_set(handle, &MosquittoCallbacks::on_subscribe);
  mosquitto_message_v5_callback_set(handle, &MosquittoCallbacks::on_message);
  MW_CHECK_OK(prepare_tls());
  if (!options_.credentials_file.empty()) {
    const Credentials credentials = MW_TRY(read_credentials(options_.credentials_file));
    mosquitto_username_pw_set(handle, credentials.user.c_str(), credentials.password.c_str());
  }
  if (!options_.status_topic.empty()) {
    const std::string offline = options_.status(false);
    const int code = mosquitto_will_set_v5(handle, options_.status_topic.c_str(), static_cast<int>(offline.size()),
                                           offline.data(), 1, true, nullptr);
    if (code != MOSQ_ERR_SUCCESS) {
      return fail(ErrorCode::kInvalidInput, "broker: '{}' is not a topic for the status", options_.status_topic);
    }
  }
  return {};
}

Status Connection::open() {
  Properties properties;
  if (options_.session_expiry_s > 0) properties.add(MQTT_PROP_SESSION_EXPIRY_INTERVAL, options_.session_expiry_s);
  properties.add(MQTT_PROP_MAXIMUM_PACKET_SIZE, kPacketLimit);
  errno = 0;
  const int code = mosquitto_connect_bind_v5(handle_.get(), options_.host.c_str(), options_.port, options_.keepalive_s,
                                             nullptr, properties.get());
  const int system_error = errno;
  opened_ns_ = now_ns();
  if (code == MOSQ_ERR_SUCCESS) return {};
  return fail(ErrorCode::kUnavailable, "{}", why_unreachable(code, system_error));
}

int Connection::socket() const { return mosquitto_socket(handle_.get()); }

bool Connection::wants_write() const { return mosquitto_want_write(handle_.get()); }

Status Connection::read() {
  errno = 0;
  const int code = mosquitto_loop_read(handle_.get(), 1);
  const int system_error = errno;
  if (code != MOSQ_ERR_SUCCESS || socket() < 0) return ended(code, system_error);
  if (++reads_without_event_ >= kReadsPerCheck || events_since_check_ >= kEventsPerCheck) return check_inbound_bytes();
  return {};
}

Status Connection::write() {
  errno = 0;
  const int code = mosquitto_loop_write(handle_.get(), 1);
  const int system_error = errno;
  if (code != MOSQ_ERR_SUCCESS || socket() < 0) return ended(code, system_error);
  return {};
}

Status Connection::keep_alive() {
  errno = 0;
  const int code = mosquitto_loop_misc(handle_.get());
  const int system_error = errno;
  if (code != MOSQ_ERR_SUCCESS || socket() < 0) return ended(code, system_error);
  return check_inbound_bytes();
}

// libmosquitto takes any length that a broker claims, and keeps messages of QoS 2 until they are released. The kernel
// counts what came in, so that both show as bytes that led to nothing.
Status Connection::check_inbound_bytes() {
  events_since_check_ = 0;
  reads_without_event_ = 0;
  tcp_info facts{};
  socklen_t size = sizeof facts;
  int unread = 0;
  if (::getsockopt(socket(), IPPROTO_TCP, TCP_INFO, &facts, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) + sizeof facts.tcpi_bytes_received ||
      ::ioctl(socket(), FIONREAD, &unread) != 0) {
    return {};
  }
  const auto idle_bytes = static_cast<uint64_t>((now_ns() - opened_ns_) / kNanosPerSecond * kUnexplainedPerSecond);
  const uint64_t taken = facts.tcpi_bytes_received - static_cast<uint64_t>(unread);
  // What was not needed is no credit for later.
  explained_bytes_ = std::min(explained_bytes_, taken);
  if (taken <= explained_bytes_ + idle_bytes + kUnexplainedLimit) return {};
  return fail(ErrorCode::kTooLarge, "broker {}:{} sent a packet above {} bytes, or as many bytes that mean nothing",
              options_.host, options_.port, kUnexplainedLimit);
}

Result<Connection::Sent> Connection::publish(const Message& message) {
  Sent sent;
  sending_id_ = 0;
  sent_at_once_ = false;
  errno = 0;
  const int code =
      mosquitto_publish_v5(handle_.get(), &sending_id_, message.topic.c_str(), static_cast<int>(message.payload.size()),
                           message.payload.data(), message.qos, message.retain, nullptr);
  const int system_error = errno;
  sent.packet_id = std::exchange(sending_id_, 0);
  sent.done = sent_at_once_;
  if (code == MOSQ_ERR_SUCCESS) return sent;
  sent = {.reason = refusal_of(code)};
  if (sent.reason != 0) return sent;
  MW_CHECK_OK(ended(code, system_error));
  return sent;
}

Result<int> Connection::subscribe(const std::vector<std::string>& filters) {
  std::vector<char*> pointers;
  pointers.reserve(filters.size());
  for (const std::string& filter : filters) pointers.push_back(const_cast<char*>(filter.c_str()));
  int packet_id = 0;
  errno = 0;
  const int code = mosquitto_subscribe_multiple(handle_.get(), &packet_id, static_cast<int>(pointers.size()),
                                                pointers.data(), 1, 0, nullptr);
  const int system_error = errno;
  if (code == MOSQ_ERR_SUCCESS) return packet_id;
  if (code == MOSQ_ERR_INVAL || code == MOSQ_ERR_MALFORMED_UTF8) {
    return fail(ErrorCode::kInvalidInput, "broker: a topic filter is not valid: {}", fmt::join(filters, " "));
  }
  MW_CHECK_OK(ended(code, system_error));
  return packet_id;
}

void Connection::close(int timeout_ms) {
  const int64_t deadline = now_ns() + timeout_ms * kNanosPerMilli;
  if (mosquitto_disconnect_v5(handle_.get(), MQTT_RC_NORMAL_DISCONNECTION, nullptr) != MOSQ_ERR_SUCCESS) return;
  while (socket() >= 0 && wants_write() && now_ns() < deadline) {
    pollfd waiting{.fd = socket(), .events = POLLOUT};
    if (::poll(&waiting, 1, 50) < 0 || !write()) return;
  }
}

std::string Connection::why_unreachable(int code, int system_error) const {
  if (code == MOSQ_ERR_EAI) {
    return fmt::format("broker host {} is not known; check the name and this box's DNS", options_.host);
  }
  if (code == MOSQ_ERR_ERRNO) {
    return fmt::format("cannot reach broker {}:{}: {}; check address, port, firewall, and that the broker runs",
                       options_.host, options_.port, std::strerror(system_error));
  }
  return fmt::format("cannot connect to broker {}:{}: {}", options_.host, options_.port, mosquitto_strerror(code));
}

std::string Connection::why_refused() const {
  const auto reason = static_cast<uint8_t>(connack_reason_);
  const std::string where = fmt::format("broker {}:{} refused this client: ", options_.host, options_.port);
  switch (connack_reason_) {
    case 1:  // as MQTT 3.1.1 says it
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: return where + "it does not speak MQTT 5; update it";
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD: return where + "wrong user or password; check the credentials file";
    case MQTT_RC_NOT_AUTHORIZED:
      return where + (options_.credentials_file.empty()
                          ? "not authorised; it may want user and password, or it does not know this client id"
                          : "not authorised; check the credentials file and the broker's list of users");
    case MQTT_RC_CLIENTID_NOT_VALID: return fmt::format("{}client id '{}' is not valid", where, options_.client_id);
    default: return fmt::format("{}{} (0x{:02X})", where, reason_name(reason), reason);
  }
}

Status Connection::ended(int code, int system_error) {
  const std::string where = fmt::format("broker {}:{}", options_.host, options_.port);
  if (connack_reason_ != 0) return fail(ErrorCode::kRefused, "{}", why_refused());
  if (tls_ != nullptr && !accepted_) {
    if (std::string why = tls_->failure(); !why.empty()) return fail(ErrorCode::kRefused, "{}: {}", where, why);
    if (options_.tls->certificate_file.empty()) {
      return fail(ErrorCode::kUnavailable,
                  "{} closed the connection before it accepted this client; it may demand a "
                  "client certificate, and none is set",
                  where);
    }
  }
  if (end_reason_ >= kReasonFirstError) {
    return fail(ErrorCode::kUnavailable, "{} ended the connection: {}", where,
                reason_name(static_cast<uint8_t>(end_reason_)));
  }
  if (code == MOSQ_ERR_SUCCESS) code = end_reason_;
  switch (code) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_NO_CONN:
    case MOSQ_ERR_CONN_LOST: return fail(ErrorCode::kUnavailable, "{} closed the connection", where);
    case MOSQ_ERR_KEEPALIVE: return fail(ErrorCode::kTimedOut, "{} did not answer within the keep-alive", where);
    case MOSQ_ERR_ERRNO: return fail(ErrorCode::kUnavailable, "{}: {}", where, std::strerror(system_error));
    case MOSQ_ERR_NOMEM: return fail(ErrorCode::kTooLarge, "{} sent a packet that does not fit into memory", where);
    default: return fail(ErrorCode::kCorrupt, "{} does not keep to MQTT 5: {}", where, mosquitto_strerror(code));
  }
}

}  // namespace millwright::net::mqtt
