// SPDX-License-Identifier: Apache-2.0
// Both ends over real sockets; the far side is libmodbus, so that the protocol is not ours on both.
#include "edge/plc/plc_output.h"

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millwright::edge::plc {
namespace {

using model::Verdict;
using testing::HasSubstr;

constexpr OutputState kGo{.stroke_id = 1, .plc_cycle = 41, .verdict = Verdict::kGo, .stop = false, .score = 0.5};

// A PLC that polls.
class Poller {
 public:
  explicit Poller(uint16_t port) : context_(::modbus_new_tcp("127.0.0.1", port)) {
    EXPECT_EQ(::modbus_connect(context_), 0);
  }
  ~Poller() {
    ::modbus_close(context_);
    ::modbus_free(context_);
  }
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  std::optional<Block> block() {
    BlockRegisters registers{};
    if (::modbus_read_registers(context_, 0, kBlockRegisters, registers.data()) != kBlockRegisters) return std::nullopt;
    return decode_block(registers, WordOrder::kBig);
  }
  bool tell(const Control& control) {
    const ControlRegisters registers = encode_control(control, WordOrder::kBig);
    return ::modbus_write_registers(context_, kBlockRegisters, kControlRegisters, registers.data()) ==
           static_cast<int>(kControlRegisters);
  }
  modbus_t* context() { return context_; }

 private:
  modbus_t* context_;
};

class PlcServerTest : public testing::Test {
 protected:
  void start(PlcOptions options = {}) {
    options.port = 0;
    auto output = PlcOutput::create(options, FailSafe::kStop, clock_);
    ASSERT_TRUE(output) << output.error().message;
    output_ = std::move(*output);
  }
  SystemClock clock_;
  std::unique_ptr<PlcOutput> output_;
};

TEST_F(PlcServerTest, ThePlcReadsWhatWasDrivenLast) {
  start();
  Poller plc(output_->port());
  auto block = plc.block();
  ASSERT_TRUE(block);
  EXPECT_EQ(block->status, (StatusBits{.stop = true}));
  output_->opened(1);
  EXPECT_TRUE(plc.block()->status.busy);
  output_->drive(kGo);
  output_->heartbeat(9);
  block = plc.block();
  ASSERT_TRUE(block);
  EXPECT_TRUE(block->status.result_valid && block->status.pass && block->status.ready);
  EXPECT_EQ(block->cycle, 41U);
  EXPECT_EQ(block->heartbeat, 9);
  EXPECT_TRUE(output_->link()->up);
}

TEST_F(PlcServerTest, ThePlcAcknowledgesResultAndAlarm) {
  start();
  Poller plc(output_->port());
  output_->drive(kGo);
  EXPECT_FALSE(output_->take_alarm_ack());
  ASSERT_TRUE(plc.tell({.alarm_ack = true, .cycle = 41}));
  EXPECT_FALSE(output_->take_alarm_ack()) << "what stood there at the start";
  ASSERT_TRUE(plc.tell({.cycle = 41}));
  ASSERT_TRUE(plc.tell({.result_ack = true, .alarm_ack = true, .cycle = 41}));
  EXPECT_FALSE(plc.block()->status.result_valid);
  EXPECT_TRUE(output_->take_alarm_ack());
  EXPECT_FALSE(output_->take_alarm_ack()) << "once for each time that the bit rises";
  ASSERT_TRUE(plc.tell({.alarm_ack = true, .cycle = 42}));
  EXPECT_FALSE(output_->take_alarm_ack());
  EXPECT_FALSE(plc.block()->status.result_valid) << "another part stands before it";
}

TEST_F(PlcServerTest, OnlyTheNamedPeerWrites) {
  start({.from = "127.0.0.2"});
  Poller plc(output_->port());
  EXPECT_TRUE(plc.block());
  EXPECT_FALSE(plc.tell({.alarm_ack = true}));
  EXPECT_FALSE(output_->take_alarm_ack());
}

TEST_F(PlcServerTest, AStrangerWhoReadsIsNoLink) {
  start({.from = "127.0.0.2"});
  Poller stranger(output_->port());
  EXPECT_TRUE(stranger.block());
  EXPECT_FALSE(output_->link()->up);
}

TEST_F(PlcServerTest, StrangersDoNotPutTheNamedPlcOut) {
  start({.from = "127.0.0.1"});
  Poller plc(output_->port());
  ASSERT_TRUE(plc.block());
  EXPECT_TRUE(output_->link()->up);
  std::vector<Descriptor> strangers;
  const auto loopback = [](uint32_t host, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
    return address;
  };
  const sockaddr_in from = loopback(1, 0);
  const sockaddr_in to = loopback(0, output_->port());
  for (size_t i = 0; i < 3 * kMaxPeers; ++i) {
    strangers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(strangers.back().get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)), 0);
    ASSERT_EQ(::connect(strangers.back().get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  // All have been let in, and two thirds of them put out again.
  for (int tries = 0; tries < 1'000 && output_->link()->connects < 3 * kMaxPeers + 1; ++tries) ::poll(nullptr, 0, 10);
  EXPECT_EQ(output_->link()->connects, 3 * kMaxPeers + 1);
  EXPECT_TRUE(plc.block());
}

TEST_F(PlcServerTest, APeerThatIsSilentOrSendsHalvesKeepsNobodyWaiting) {
  start();
  Poller plc(output_->port());
  std::vector<std::unique_ptr<Poller>> others;
  for (size_t i = 0; i < 3 * kMaxPeers; ++i) {
    others.push_back(std::make_unique<Poller>(output_->port()));
    const std::array<uint8_t, 5> half = {0, 1, 0, 0, 0};
    EXPECT_EQ(::send(::modbus_get_socket(others.back()->context()), half.data(), half.size(), MSG_NOSIGNAL), 5);
    EXPECT_TRUE(plc.block()) << i;
  }
}

TEST_F(PlcServerTest, WhatIsNotModbusIsPutOut) {
  start();
  Poller stranger(output_->port());
  const std::string_view text = "GET / HTTP/1.1\r\n\r\n";
  const int socket = ::modbus_get_socket(stranger.context());
  ASSERT_EQ(::send(socket, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  pollfd ready{.fd = socket, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
  char byte = 0;
  EXPECT_LE(::recv(socket, &byte, 1, 0), 0);
  EXPECT_GE(output_->link()->refused, 1U);
  EXPECT_TRUE(Poller(output_->port()).block());
}

TEST_F(PlcServerTest, ATakenPortIsNamed) {
  start();
  PlcOptions options;
  options.port = output_->port();
  EXPECT_THAT(PlcOutput::create(options, FailSafe::kStop, clock_).error().message, HasSubstr("no other program"));
  EXPECT_THAT(check_plc(options).error().message, HasSubstr("no other program"));
  options.address = "plc.example";
  EXPECT_THAT(check_plc(options).error().message, HasSubstr("'plc.example' is not an IPv4 address"));
}

// A PLC that is written to: libmodbus as server, one connection at a time.
class Target {
 public:
  Target() : context_(::modbus_new_tcp("127.0.0.1", 0)), mapping_(::modbus_mapping_new(0, 0, 64, 0)) {
    listener_ = ::modbus_tcp_listen(context_, 1);
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Target() {
    ::close(listener_);
    ::modbus_close(context_);
    ::modbus_mapping_free(mapping_);
    ::modbus_free(context_);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }
  void accept() { ASSERT_GE(::modbus_tcp_accept(context_, &listener_), 0); }
  void hang_up() { ::modbus_close(context_); }
  // Answers until a block satisfies `good`; false: the peer went.
  bool serve_until(const std::function<bool(const Block&)>& good) {
    std::array<uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> query{};
    for (int requests = 0; requests < 1000; ++requests) {
      const int n = ::modbus_receive(context_, query.data());
      if (n < 0) return false;
      if (n > 0) ::modbus_reply(context_, query.data(), n, mapping_);
      const auto block =
          decode_block(std::span<uint16_t, kBlockRegisters>(mapping_->tab_registers, kBlockRegisters), WordOrder::kBig);
      if (block && good(*block)) return true;
    }
    return false;
  }
  modbus_mapping_t& mapping() { return *mapping_; }

 private:
  modbus_t* context_;
  modbus_mapping_t* mapping_;
  int listener_ = -1;
  uint16_t port_ = 0;
};

PlcOptions client_of(const Target& target) {
  return {.role = PlcOptions::Role::kClient, .port = target.port(), .timeout_ms = 1000};
}

TEST(PlcClient, WritesEveryVerdictAndComesBackAfterThePlcWasAway) {
  const SystemClock clock;
  Target plc;
  auto output = PlcOutput::create(client_of(plc), FailSafe::kStop, clock);
  ASSERT_TRUE(output);
  plc.accept();
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return block.status == StatusBits{.stop = true}; }));
  (*output)->drive(kGo);
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return block.cycle == 41 && block.status.pass; }));
  // The PLC reboots: its registers are zero, and what comes first is how things stand then.
  plc.hang_up();
  std::fill_n(plc.mapping().tab_registers, 64, uint16_t{0});
  OutputState next = kGo;
  next.stroke_id = 2;
  next.plc_cycle = 42;
  next.verdict = Verdict::kNoGo;
  (*output)->drive(next);
  plc.accept();
  bool stale = false;
  EXPECT_TRUE(plc.serve_until([&](const Block& block) {
    stale = stale || block.cycle == 41;
    return block.cycle == 42 && block.status.result_valid && !block.status.pass;
  }));
  EXPECT_FALSE(stale);
}

TEST(PlcClient, SaysFarewellAndTakesTheAlarmsAcknowledgement) {
  const SystemClock clock;
  Target plc;
  const auto press = [&plc](bool down) {
    const ControlRegisters control = encode_control({.alarm_ack = down}, WordOrder::kBig);
    std::copy(control.begin(), control.end(), plc.mapping().tab_registers + kBlockRegisters);
  };
  press(true);
  auto output = PlcOutput::create(client_of(plc), FailSafe::kStop, clock);
  ASSERT_TRUE(output);
  plc.accept();
  (*output)->drive(kGo);
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return block.status.ready; }));
  for (int beat = 0; beat < 3; ++beat) {
    (*output)->heartbeat(static_cast<uint64_t>(beat + 1));
    EXPECT_TRUE(plc.serve_until([&](const Block& block) { return block.heartbeat == beat + 1; }));
  }
  EXPECT_FALSE((*output)->take_alarm_ack()) << "it stood there before we came";
  press(false);
  (*output)->heartbeat(10);
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return block.heartbeat == 10; }));
  (*output)->heartbeat(11);
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return block.heartbeat == 11; }));
  press(true);
  uint64_t beats = 11;
  EXPECT_TRUE(plc.serve_until([&](const Block&) {
    (*output)->heartbeat(++beats);
    return (*output)->take_alarm_ack();
  }));
  std::thread end([&] { output->reset(); });
  EXPECT_TRUE(plc.serve_until([](const Block& block) { return !block.status.ready && block.status.stop; }));
  plc.hang_up();
  end.join();
}

TEST(PlcClient, APlcThatRefusesIsNotStormedAndItsReasonIsTold) {
  constexpr double kSecondsPerNano = 1e-9;
  const SystemClock clock;
  Target plc;
  plc.mapping().nb_registers = kBlockRegisters;  // no control registers
  auto output = PlcOutput::create(client_of(plc), FailSafe::kStop, clock);
  ASSERT_TRUE(output);
  const int64_t began = clock.monotonic_ns();
  uint64_t beats = 0;
  std::atomic<bool> stopped{false};
  std::thread news([&] {
    while (!stopped) (*output)->heartbeat(++beats);
  });
  for (int tries = 0; tries < 4; ++tries) {
    plc.accept();
    plc.serve_until([](const Block&) { return false; });  // until the client hangs up
    plc.hang_up();
  }
  EXPECT_GE(static_cast<double>(clock.monotonic_ns() - began) * kSecondsPerNano, 0.1 + 0.2 + 0.4);
  stopped = true;
  news.join();
  EXPECT_GE((*output)->link()->refused, 3U);
  EXPECT_THAT((*output)->link()->last_error,
              HasSubstr("the control registers cannot be read: Illegal data address; does the PLC have 4 holding "
                        "registers from 16 on"));
}

TEST(PlcServer, SaysWhereAPlcIsAwaitedUntilOneCame) {
  const SystemClock clock;
  auto output = PlcOutput::create({.port = 0}, FailSafe::kStop, clock);
  ASSERT_TRUE(output);
  EXPECT_EQ((*output)->link()->last_error, fmt::format("no PLC has connected to 127.0.0.1:{} yet", (*output)->port()));
}

TEST(PlcServer, SaysWhyAPlcThatWasThereIsLost) {
  FakeClock clock(1);
  auto output = PlcOutput::create({.port = 0}, FailSafe::kStop, clock);
  ASSERT_TRUE(output);
  Poller plc((*output)->port());
  ASSERT_TRUE(plc.block());
  EXPECT_TRUE((*output)->link()->up);
  EXPECT_EQ((*output)->link()->last_error, "");
  clock.advance_ns(5'000'000'000);
  EXPECT_THAT((*output)->link()->last_error, HasSubstr("no request from the PLC for 5 s"));
  for (const uint16_t beat : {1, 2}) ASSERT_TRUE(plc.tell({.heartbeat = beat}));
  EXPECT_TRUE((*output)->link()->up);
  clock.advance_ns(3'000'000'000);
  ASSERT_TRUE(plc.block());
  EXPECT_FALSE((*output)->link()->up);
  EXPECT_THAT((*output)->link()->last_error, HasSubstr("heartbeat (control register 1) has stood still for 3 s"));
}

TEST(PlcCheck, SaysThatRegistersCountFromZeroAndWhatFourHundredThousandsMean) {
  EXPECT_THAT(*check_plc({.port = 0}), HasSubstr("registers 0-15 and 16-19, counted from 0"));
  EXPECT_THAT(*check_plc({.port = 0}), testing::Not(HasSubstr("40001")));
  EXPECT_THAT(*check_plc({.port = 0, .map = {.base = 40'001, .control_base = 40'017}}), HasSubstr("base = 0"));
}

TEST(PlcClient, ACheckNamesWhatIsWrongWithThePlc) {
  uint16_t port = 0;
  {
    const Target gone;
    port = gone.port();
  }
  EXPECT_THAT(check_plc({.role = PlcOptions::Role::kClient, .port = port}).error().message,
              HasSubstr("cannot connect"));
}

}  // namespace
}  // namespace millwright::edge::plc
