// SPDX-License-Identifier: Apache-2.0
// The client beside a real mosquitto.
#include "net/mqtt/client.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "net/mqtt/broker_fixture.h"

namespace millwright::net::mqtt {
namespace {

std::unique_ptr<Client> start(ClientOptions options, ClientEvents& events) {
  auto client = Client::start(std::move(options), events);
  EXPECT_TRUE(client.has_value()) << (client ? "" : client.error().message);
  return client ? std::move(*client) : nullptr;
}

TEST(Client, DeliversAtBothQualitiesOfServiceAndReportsEachOnce) {
  RealBroker broker;
  broker.start();
  Notes heard, told;
  ClientOptions listening = options_for(broker.port(), "listener");
  listening.filters = {"plant/#"};
  const auto listener = start(listening, heard);
  ASSERT_TRUE(heard.wait([&] { return heard.subscriptions.size() == 1; }));
  EXPECT_TRUE(heard.subscriptions["plant/#"].has_value());

  const auto client = start(options_for(broker.port(), "teller"), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  for (uint64_t token = 0; token < 200; ++token) {
    ASSERT_TRUE(
        client->publish({.topic = "plant/x", .payload = std::to_string(token), .qos = int(token % 2), .token = token}));
  }
  ASSERT_TRUE(told.wait([&] { return told.deliveries.size() == 200; }));
  ASSERT_TRUE(heard.wait([&] { return heard.inbound.size() == 200; }));
  // Each quality keeps its order; the broker lets one overtake the other.
  std::array<int, 2> last{-1, -1};
  for (const Notes::Inbound& message : heard.inbound) {
    const int token = std::stoi(message.payload);
    EXPECT_GT(token, std::exchange(last[token % 2], token));
  }
  for (uint64_t token = 0; token < 200; ++token) {
    ASSERT_EQ(told.deliveries[token].size(), 1u);
    EXPECT_EQ(told.deliveries[token][0].outcome, Outcome::kAccepted);
  }
  EXPECT_EQ(client->figures().accepted, 200u);
  EXPECT_EQ(client->figures().in_flight, 0u);
}

// Their places in the window are free as soon as they are written, and no answer comes that would wake the client.
TEST(Client, WhatNeedsNoAnswerDoesNotWaitForOne) {
  RealBroker broker;
  broker.start();
  Notes told;
  ClientOptions options = options_for(broker.port(), "teller");
  options.in_flight = 4;
  options.longest_poll_ms = 60'000;
  const auto client = start(options, told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  for (uint64_t token = 0; token < 100; ++token) {
    ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "1", .qos = 0, .token = token}));
  }
  EXPECT_TRUE(told.wait([&] { return told.deliveries.size() == 100; }));
}

TEST(Client, SaysWhereNobodyListened) {
  RealBroker broker;
  broker.start();
  Notes told;
  const auto client = start(options_for(broker.port(), "teller"), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "1", .token = 5}));
  ASSERT_TRUE(told.wait([&] { return told.deliveries.size() == 1; }));
  EXPECT_TRUE(told.deliveries[5][0].nobody_listened());
}

TEST(Client, StatusIsRetainedAndTheLastWillSpeaksForAKilledProcess) {
  RealBroker broker;
  broker.start();
  ClientOptions options = options_for(broker.port(), "box");
  options.status_topic = "status";
  options.status = [](bool online) { return std::string(online ? "online" : "offline"); };
  // Before there are threads: a child that begins with a copy of one of several may not begin threads of its own.
  std::array<int, 2> go{};
  ASSERT_EQ(::pipe(go.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char word = 0;
    if (::read(go[0], &word, 1) != 1) ::_exit(1);
    ClientEvents nobody;
    const auto client = Client::start(options, nobody);
    while (true) ::pause();
  }

  Notes heard;
  ClientOptions listening = options_for(broker.port(), "listener");
  listening.filters = {"status"};
  const auto listener = start(listening, heard);
  ASSERT_TRUE(heard.wait([&] { return heard.subscriptions.size() == 1; }));

  EXPECT_EQ(::write(go[1], "g", 1), 1);
  EXPECT_TRUE(heard.wait([&] { return heard.inbound.size() == 1 && heard.inbound[0].payload == "online"; }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int end : go) ::close(end);
  EXPECT_TRUE(heard.wait([&] { return heard.inbound.size() == 2 && heard.inbound[1].payload == "offline"; }));

  Notes told;
  auto client = start(options, told);
  EXPECT_TRUE(heard.wait([&] { return heard.inbound.size() == 3 && heard.inbound[2].payload == "online"; }));
  client->stop();
  EXPECT_TRUE(heard.wait([&] { return heard.inbound.size() == 4 && heard.inbound[3].payload == "offline"; }));
  client.reset();

  Notes later;
  listening.client_id = "later";
  const auto late = start(listening, later);
  EXPECT_TRUE(later.wait([&] { return later.inbound.size() == 1; }));
  EXPECT_TRUE(later.inbound[0].retained);
}

TEST(Client, GivesBackWhatAKilledBrokerDidNotAnswerAndComesBack) {
  RealBroker broker;
  broker.start();
  Notes told;
  const auto client = start(options_for(broker.port(), "teller"), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  broker.freeze();
  for (uint64_t token = 0; token < 300; ++token) {
    ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "p", .token = token}));
  }
  broker.kill();
  ASSERT_TRUE(told.wait([&] { return !told.losses.empty(); }));
  EXPECT_EQ(told.deliveries.size(), 300u);
  for (const auto& [token, deliveries] : told.look([&] { return told.deliveries; })) {
    ASSERT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(deliveries[0].outcome, Outcome::kUnanswered);
  }
  EXPECT_FALSE(client->publish({.topic = "plant/x", .payload = "p", .token = 1000}));
  EXPECT_EQ(client->room(), 0u);
  ASSERT_TRUE(eventually([&] { return client->last_error().find("cannot reach broker") != std::string::npos; }));
  EXPECT_NE(client->last_error().find("Connection refused"), std::string::npos) << client->last_error();

  broker.start();
  ASSERT_TRUE(told.wait([&] { return told.connected == 2; }));
  ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "p", .token = 2000}));
  ASSERT_TRUE(told.wait([&] { return told.deliveries.contains(2000); }));
  EXPECT_EQ(told.deliveries[2000][0].outcome, Outcome::kAccepted);
  EXPECT_EQ(client->last_error(), "");
}

TEST(Client, HoldsNoMoreThanItsQueueAndItsWindow) {
  RealBroker broker;
  broker.start();
  Notes told;
  ClientOptions options = options_for(broker.port(), "teller");
  options.queue_messages = 10;
  options.in_flight = 4;
  const auto client = start(options, told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  broker.freeze();
  uint64_t taken = 0;
  ASSERT_TRUE(eventually([&] {
    while (client->publish({.topic = "plant/x", .payload = "p", .token = taken})) ++taken;
    return client->figures().in_flight == 4 && client->figures().queued == 10;
  }));
  EXPECT_EQ(taken, 14u);
  EXPECT_EQ(client->room(), 0u);
  broker.thaw();
  ASSERT_TRUE(told.wait([&] { return told.deliveries.size() == taken; }));
  EXPECT_EQ(client->room(), 10u);
}

TEST(Client, AnAccessListRefusesByReasonNotBySilence) {
  RealBroker broker("allow_anonymous true\nacl_file {folder}/acl\n");
  broker.folder().write("acl", "topic readwrite mine/#\n");
  broker.start();
  Notes told;
  ClientOptions options = options_for(broker.port(), "teller");
  options.filters = {"mine/#", "$SYS/#"};
  const auto client = start(options, told);
  ASSERT_TRUE(told.wait([&] { return told.subscriptions.size() == 2; }));
  ASSERT_TRUE(client->publish({.topic = "mine/x", .payload = "p", .token = 1}));
  ASSERT_TRUE(client->publish({.topic = "yours/x", .payload = "p", .token = 2}));
  ASSERT_TRUE(told.wait([&] { return told.deliveries.size() == 2; }));
  EXPECT_EQ(told.deliveries[1][0].outcome, Outcome::kAccepted);
  EXPECT_EQ(told.deliveries[2][0].outcome, Outcome::kRefused);
  EXPECT_EQ(reason_name(told.deliveries[2][0].reason), "not authorised");
  EXPECT_EQ(client->figures().refused, 1u);
}

TEST(Client, UserAndPasswordComeFromAFileAndAWrongOneIsSaid) {
  RealBroker broker("allow_anonymous false\npassword_file {folder}/passwords\n");
  broker.folder().write("passwords", "press7:right\n");
  ASSERT_EQ(::system(("mosquitto_passwd -U " + (broker.folder().path() / "passwords").string()).c_str()), 0);
  broker.start();
  ClientOptions options = options_for(broker.port(), "teller");
  options.credentials_file = broker.folder().write("right", "press7\nright\n");
  std::filesystem::permissions(options.credentials_file, std::filesystem::perms::owner_read);
  EXPECT_TRUE(probe(options, 10'000).has_value());
  options.credentials_file = broker.folder().write("wrong", "press7\nwrong\n");
  std::filesystem::permissions(options.credentials_file, std::filesystem::perms::owner_read);
  const Status refused = probe(options, 10'000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("not authorised; check the credentials file"), std::string::npos)
      << refused.error().message;
  std::filesystem::permissions(options.credentials_file, std::filesystem::perms(0644));
  const Status open = probe(options, 10'000);
  ASSERT_FALSE(open.has_value());
  EXPECT_EQ(open.error().code, ErrorCode::kRefused);
  EXPECT_EQ(open.error().message.find("wrong\n"), std::string::npos);
}

TEST(Client, AnUnknownHostIsNamed) {
  ClientOptions options = options_for(1, "teller");
  options.host = "no-such-host.invalid";
  const Status unknown = probe(options, 15'000);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("no-such-host.invalid is not known"), std::string::npos)
      << unknown.error().message;
}

TEST(Client, OptionsThatCanNeverWorkAreRefused) {
  Notes told;
  for (const auto& breaking : std::vector<std::function<void(ClientOptions&)>>{
           [](ClientOptions& o) { o.host = ""; },
           [](ClientOptions& o) { o.client_id = "two words"; },
           [](ClientOptions& o) { o.port = 0; },
           [](ClientOptions& o) { o.keepalive_s = 1; },
           [](ClientOptions& o) { o.in_flight = 0; },
           [](ClientOptions& o) { o.status_topic = "status"; },
       }) {
    ClientOptions options = options_for(1883, "teller");
    breaking(options);
    EXPECT_FALSE(Client::start(options, told).has_value());
  }
}

}  // namespace
}  // namespace millwright::net::mqtt
