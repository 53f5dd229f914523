// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/client.h"

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>

namespace millwright::edge::plc {
namespace {

constexpr int64_t kFirstBackoffMs = 100;
constexpr int64_t kMaxBackoffMs = 2'000;
constexpr int64_t kMillisPerSecond = 1'000;
constexpr int64_t kMicrosPerMilli = 1'000;
// Beyond the loop's own beats: a PLC that was rebooted has its registers back after this at the latest.
constexpr int64_t kRefreshMs = 100;

}  // namespace

// One connection at a time, by libmodbus.
class Client::Connection {
 public:
  explicit Connection(const PlcOptions& options)
      : options_(options), context_(::modbus_new_tcp(options.address.c_str(), options.port)) {
    if (context_ == nullptr) return;
    ::modbus_set_slave(context_, options.map.unit);
    const auto seconds = static_cast<uint32_t>(options.timeout_ms / kMillisPerSecond);
    const auto micros = static_cast<uint32_t>(options.timeout_ms % kMillisPerSecond * kMicrosPerMilli);
    ::modbus_set_response_timeout(context_, seconds, micros);
    ::modbus_set_byte_timeout(context_, seconds, micros);
  }
  ~Connection() {
    close();
    if (context_ != nullptr) ::modbus_free(context_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connect() {
    open_ = context_ != nullptr && ::modbus_connect(context_) == 0;
    return open_;
  }
  void close() {
    if (open_) ::modbus_close(context_);
    open_ = false;
  }
  [[nodiscard]] bool open() const { return open_; }
  bool write(const BlockRegisters& block) {
    return ::modbus_write_registers(context_, options_.map.base, kBlockRegisters, block.data()) ==
           static_cast<int>(kBlockRegisters);
  }
  bool read(uint16_t at, std::span<uint16_t> into) {
    const int count = static_cast<int>(into.size());
    return ::modbus_read_registers(context_, at, count, into.data()) == count;
  }

 private:
  const PlcOptions& options_;
  modbus_t* context_;
  bool open_ = false;
};

namespace {

Status check_address(const PlcOptions& options) {
  in_addr address{};
  if (::inet_pton(AF_INET, options.address.c_str(), &address) == 1) return {};
  return fail(ErrorCode::kInvalidInput, "'{}' is not an IPv4 address", options.address);
}

}  // namespace

std::string failure_words(const PlcOptions& options, LinkStep step, int error) {
  const RegisterMap& map = options.map;
  const std::string begin = fmt::format("PLC {}:{}: ", options.address, options.port);
  const char* why = ::modbus_strerror(error);
  if (step == LinkStep::kConnect) {
    return fmt::format("{}cannot connect: {}; is it on, and is its Modbus TCP server enabled?", begin, why);
  }
  if (step == LinkStep::kReadControl) {
    return fmt::format(
        "{}the control registers cannot be read: {}; does the PLC have {} holding registers from {} on, counted from 0 "
        "(control_base), for unit {}?",
        begin, why, kControlRegisters, map.control_base, map.unit);
  }
  return fmt::format(
      "{}the block cannot be {}: {}; does the PLC have {} holding registers from {} on, counted from 0 (base), for "
      "unit "
      "{}?",
      begin, step == LinkStep::kReadBlock ? "read" : "written", why, kBlockRegisters, map.base, map.unit);
}

Result<std::unique_ptr<Client>> Client::start(const PlcOptions& options, Link& link) {
  MW_CHECK_OK(check_address(options));
  return std::unique_ptr<Client>(new Client(options, link));
}

Client::Client(const PlcOptions& options, Link& link) : options_(options), link_(link), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "modbus-client");
}

Client::~Client() {
  link_.stop();
  thread_.join();
}

// Until there is news, or the time is over; false: the end.
bool Client::wait(int64_t timeout_ms) const {
  pollfd event{.fd = link_.event(), .events = POLLIN, .revents = 0};
  ::poll(&event, 1, static_cast<int>(timeout_ms));
  link_.clear_event();
  return !link_.stopped();
}

void Client::run() {
  Connection connection(options_);
  int64_t backoff_ms = kFirstBackoffMs;
  while (!link_.stopped()) {
    if (reach(connection) && exchange(connection)) {
      backoff_ms = kFirstBackoffMs;
      link_.last_error = 0;
      wait(kRefreshMs);
      continue;
    }
    link_.last_step = step_;
    link_.last_error = errno;
    connection.close();
    // News does not shorten the pause: a PLC that is down, or refuses, is not stormed.
    const int64_t until = link_.clock().monotonic_ns() + backoff_ms * kMillisPerSecond * kMicrosPerMilli;
    while (link_.clock().monotonic_ns() < until && wait(kFirstBackoffMs)) {
    }
    backoff_ms = std::min(2 * backoff_ms, kMaxBackoffMs);
  }
  // An orderly end says so; a PLC that cannot be reached learns it from the heartbeat.
  if (const auto block = link_.farewell(); block && connection.open()) connection.write(*block);
}

bool Client::reach(Connection& connection) {
  if (connection.open()) return true;
  step_ = LinkStep::kConnect;
  if (!connection.connect()) return false;
  link_.connects.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Client::exchange(Connection& connection) {
  const auto block = link_.block();
  const auto refused = [&] {
    link_.refused.fetch_add(1, std::memory_order_relaxed);
    return false;
  };
  step_ = LinkStep::kWriteBlock;
  if (!block || !connection.write(*block)) return refused();
  link_.transactions.fetch_add(1, std::memory_order_relaxed);
  ControlRegisters control{};
  step_ = LinkStep::kReadControl;
  if (!connection.read(options_.map.control_base, control)) return refused();
  link_.set_control(control);
  link_.heard();
  return true;
}

Status Client::can_reach(const PlcOptions& options) {
  MW_CHECK_OK(check_address(options));
  Connection connection(options);
  const auto refuse = [&](LinkStep step) -> Status {
    return fail(ErrorCode::kUnavailable, "{}", failure_words(options, step, errno));
  };
  if (!connection.connect()) return refuse(LinkStep::kConnect);
  BlockRegisters block{};
  if (!connection.read(options.map.base, block)) return refuse(LinkStep::kReadBlock);
  ControlRegisters control{};
  if (!connection.read(options.map.control_base, control)) return refuse(LinkStep::kReadControl);
  return {};
}

}  // namespace millwright::edge::plc
