// SPDX-License-Identifier: Apache-2.0
// The client beside brokers that do not keep to the rules: nothing is lost in silence, memory stays flat, and it does
// not storm. Times are a hundredth of the real ones.
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "net/mqtt/hostile_broker_fixture.h"

namespace millwright::net::mqtt {
namespace {

constexpr int64_t kMegabyte = 1 << 20;
constexpr int64_t kNanosPerMilli = 1'000'000;

ClientOptions hasty(const HostileBroker& broker) {
  ClientOptions options = options_for(broker.port(), "box");
  options.answer_timeout_ms = 200;
  options.connect_timeout_ms = 200;
  options.backoff_first_ms = 10;
  options.backoff_limit_ms = 600;
  options.in_flight = 16;
  options.queue_messages = 64;
  return options;
}

// Publishes whenever there is room, until `done`; every message that was taken must come back once.
uint64_t publish_until(Client& client, Notes& told, const std::function<bool()>& done) {
  uint64_t taken = 0;
  EXPECT_TRUE(eventually([&] {
    while (client.publish({.topic = "plant/x", .payload = std::string(1000, 'p'), .token = taken})) ++taken;
    EXPECT_LE(client.figures().in_flight, 16u);
    EXPECT_LE(client.figures().queued, 64u);
    return done();
  }));
  client.stop();
  EXPECT_EQ(told.deliveries.size(), taken);
  for (const auto& [token, deliveries] : told.deliveries) EXPECT_EQ(deliveries.size(), 1u) << token;
  return taken;
}

bool said(Notes& told, std::string_view words) {
  return told.wait([&] {
    return std::any_of(told.losses.begin(), told.losses.end(),
                       [words](const std::string& why) { return why.find(words) != std::string::npos; });
  });
}

void swallow(Wire& wire) {
  while (wire.read()) {
  }
}

// A sanitizer keeps aside what was freed: there its own leak check judges.
void expect_grown_less([[maybe_unused]] int64_t before, [[maybe_unused]] int64_t bytes) {
#ifndef MILLWRIGHT_SANITIZED
  EXPECT_LT(resident_bytes() - before, bytes);
#endif
}

TEST(HostileBroker, ThatNeverAcknowledgesGetsNoMoreThanTheWindowAndAllComesBack) {
  HostileBroker broker([](Wire& wire) {
    if (wire.accept()) swallow(wire);
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  const int64_t before = resident_bytes();
  const uint64_t taken =
      publish_until(*client, told, [&] { return told.look([&] { return told.losses.size() >= 5; }); });
  expect_grown_less(before, 5 * kMegabyte);
  EXPECT_GE(taken, 64u);
  EXPECT_EQ(client->figures().accepted, 0u);
  EXPECT_EQ(client->figures().unanswered, taken);
  EXPECT_NE(told.losses[0].find("did not acknowledge a message within 200 ms"), std::string::npos) << told.losses[0];
}

TEST(HostileBroker, ThatAcknowledgesAndDiesIsBelievedForWhatItAcknowledged) {
  std::atomic<uint64_t> acknowledged{0};
  HostileBroker broker([&acknowledged](Wire& wire) {
    if (!wire.accept()) return;
    for (int i = 0; i < 20; ++i) {
      const auto packet = wire.read();
      if (!packet || !wire.answer(*packet)) return;
      ++acknowledged;
    }
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  const uint64_t taken =
      publish_until(*client, told, [&] { return told.look([&] { return told.losses.size() >= 20; }); });
  EXPECT_EQ(client->figures().accepted + client->figures().unanswered, taken);
  EXPECT_GT(client->figures().accepted, 100u);
  EXPECT_LE(client->figures().accepted, acknowledged);
}

// The mean distance between attempts, in units of the shortest backoff.
double mean_distance(const std::vector<int64_t>& connections) {
  return static_cast<double>(connections.back() - connections.front()) / static_cast<double>(connections.size() - 1) /
         (10.0 * kNanosPerMilli);
}

TEST(HostileBroker, ThatClosesAtOnceIsTriedEverMoreSeldom) {
  HostileBroker broker([](Wire&) {});
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(eventually([&] { return broker.connections().size() >= 15; }));
  client->stop();
  const std::vector<int64_t> connections = broker.connections();
  for (size_t i = 1; i < connections.size(); ++i) EXPECT_GE(connections[i] - connections[i - 1], 9 * kNanosPerMilli);
  EXPECT_GT(mean_distance(connections), 5.0);
}

TEST(HostileBroker, ThatAcceptsAndClosesIsTriedEverMoreSeldom) {
  HostileBroker broker([](Wire& wire) { wire.accept(); });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(eventually([&] { return broker.connections().size() >= 15; }));
  EXPECT_GT(mean_distance(broker.connections()), 5.0);
  // Who throws this client out again and again may take it for another: one time proves nothing.
  ASSERT_TRUE(told.wait([&] { return told.losses.size() >= 5; }));
  EXPECT_TRUE(told.losses[0].ends_with("closed the connection")) << told.losses[0];
  EXPECT_TRUE(told.losses[4].ends_with("does another program use the client id 'box'?")) << told.losses[4];
}

TEST(HostileBroker, ThatClosesEveryFiveSecondsGetsAtMostOneAttemptInASecondAndIsUsedBetween) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    const int64_t until = SystemClock().monotonic_ns() + 50 * kNanosPerMilli;
    while (SystemClock().monotonic_ns() < until) {
      const auto packet = wire.read(5);
      if (packet && !wire.answer(*packet)) return;
    }
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  const uint64_t taken = publish_until(*client, told, [&] { return broker.connections().size() >= 20; });
  EXPECT_GT(mean_distance(broker.connections()), 1.0);
  // It worked, so the pauses stay short: 50 ms up, then 10 to 20 ms.
  EXPECT_LT(mean_distance(broker.connections()), 20.0);
  EXPECT_GT(client->figures().accepted, taken / 4);
}

TEST(HostileBroker, ThatNeverAnswersConnectIsGivenUp) {
  HostileBroker broker(swallow);
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  EXPECT_TRUE(said(told, "did not answer CONNECT within 200 ms"));
  EXPECT_FALSE(client->publish({.topic = "plant/x", .payload = "p"}));
}

TEST(HostileBroker, AnEmptySubscribeAnswerEndsTheConnectionAndNothingElse) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    const auto subscribe = wire.read();
    if (!subscribe) return;
    wire.send("\x90\x03" + subscribe->id() + std::string(1, '\0'));
    swallow(wire);
  });
  Notes told;
  ClientOptions options = hasty(broker);
  options.filters = {"plant/#", "other/#"};
  const auto client = *Client::start(options, told);
  EXPECT_TRUE(said(told, "answered a subscription to 2 filters with 0 results"));
  EXPECT_TRUE(told.wait([&] { return told.connected >= 2; }));
  EXPECT_TRUE(told.look([&] { return told.subscriptions.empty(); }));
}

TEST(HostileBroker, AnswersToWhatWasNeverAskedAreCountedNotBelieved) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    while (const auto packet = wire.read()) {
      if (packet->type != 3) continue;
      for (char id = 100; id < 110; ++id) wire.send(std::string("\x40\x02\x77", 3) + id);
      wire.send(std::string("\x90\x04\x12\x34\x00\x01", 6));
      wire.answer(*packet);
      wire.answer(*packet);  // twice
    }
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "p", .token = 1}));
  ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = "p", .token = 2}));
  ASSERT_TRUE(told.wait([&] { return told.deliveries.size() == 2; }));
  for (const uint64_t token : {1, 2}) {
    EXPECT_EQ(told.deliveries[token].size(), 1u);
    EXPECT_EQ(told.deliveries[token][0].outcome, Outcome::kAccepted);
  }
  EXPECT_GE(client->figures().strange, 1u);
}

TEST(HostileBroker, AClaimedLengthOfAQuarterGigabyteFillsNoMemory) {
  std::atomic<uint64_t> taken{0};
  HostileBroker broker([&taken](Wire& wire) {
    if (!wire.accept() || !wire.send("\x30\xFF\xFF\xFF\x7F")) return;
    const std::string block(65536, 'x');
    while (wire.sent < 200 * kMegabyte && wire.send(block)) {
    }
    taken = std::max(taken.load(), wire.sent);
  });
  Notes told;
  const int64_t before = resident_bytes();
  const auto client = *Client::start(hasty(broker), told);
  EXPECT_TRUE(said(told, "a packet of 268435460 bytes, above 262144"));
  EXPECT_TRUE(told.wait([&] { return told.losses.size() >= 3; }));
  client->stop();
  EXPECT_LT(taken, 16 * kMegabyte);
  expect_grown_less(before, 12 * kMegabyte);
}

TEST(HostileBroker, MessagesThatAreNeverReleasedFillNoMemory) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    std::string publish =
        std::string("\x34\x87\x08\x00\x01t", 6) + "??" + std::string(1, '\0') + std::string(1024, 'x');
    publish[1] = static_cast<char>(0x80 | ((publish.size() - 3) & 0x7F));
    publish[2] = static_cast<char>((publish.size() - 3) >> 7);
    for (uint32_t id = 1; wire.sent < 100 * kMegabyte; id = id % 65535 + 1) {
      publish[6] = static_cast<char>(id >> 8);
      publish[7] = static_cast<char>(id);
      if (!wire.send(publish)) return;
    }
  });
  Notes told;
  const int64_t before = resident_bytes();
  const auto client = *Client::start(hasty(broker), told);
  EXPECT_TRUE(said(told, "a PUBLISH of QoS 2, which was not asked for"));
  client->stop();
  expect_grown_less(before, 12 * kMegabyte);
}

TEST(HostileBroker, ALargePayloadIsCountedAndNotHandedOn) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    wire.send(std::string("\x30\x84\x80\x08\x00\x01t\x00", 8) + std::string(128 * 1024, 'x'));
    wire.send(std::string("\x30\x05\x00\x01t\x00y", 7));
    swallow(wire);
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(told.wait([&] { return told.inbound.size() == 1; }));
  EXPECT_EQ(told.inbound[0].payload, "y");
  EXPECT_EQ(client->figures().oversized, 1u);
}

TEST(HostileBroker, TextThatIsNotUtf8EndsTheConnection) {
  HostileBroker broker([](Wire& wire) {
    if (!wire.accept()) return;
    wire.send(std::string("\x30\x07\x00\x02\xFF\xFE\x00pp", 9));
    swallow(wire);
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  EXPECT_TRUE(said(told, "does not keep to MQTT 5"));
  EXPECT_TRUE(told.look([&] { return told.inbound.empty(); }));
}

TEST(HostileBroker, RandomBytesNeitherCrashNorLeak) {
  Random random(20261122);
  HostileBroker broker([&random](Wire& wire) {
    if (random.below(4) != 0 && !wire.accept()) return;
    std::string bytes;
    for (uint64_t packets = random.below(8); packets > 0; --packets) {
      // Often a known type with a fitting length, so that the bytes reach the readers behind it.
      const uint64_t length = random.below(100);
      bytes += static_cast<char>(random.bits());
      bytes += static_cast<char>(random.below(5) == 0 ? random.bits() : length);
      for (uint64_t i = 0; i < length; ++i) bytes += static_cast<char>(random.below(3) == 0 ? 0 : random.bits());
    }
    wire.send(bytes);
    wire.wait(5);
  });
  Notes told;
  ClientOptions options = hasty(broker);
  options.filters = {"plant/#"};
  options.backoff_first_ms = 1;
  options.backoff_limit_ms = 2;
  options.connect_timeout_ms = 20;
  const auto client = *Client::start(options, told);
  ASSERT_TRUE(eventually([&] { return broker.connections().size() >= 100; }));
  const int64_t before = resident_bytes();
  ASSERT_TRUE(eventually([&] { return broker.connections().size() >= 600; }));
  client->stop();
  expect_grown_less(before, 5 * kMegabyte);
}

TEST(HostileBroker, StoppingDoesNotWaitForIt) {
  HostileBroker broker([](Wire& wire) {
    if (wire.accept()) wire.wait(60'000);
  });
  Notes told;
  const auto client = *Client::start(hasty(broker), told);
  ASSERT_TRUE(told.wait([&] { return told.connected == 1; }));
  for (uint64_t token = 0; token < 50; ++token) {
    ASSERT_TRUE(client->publish({.topic = "plant/x", .payload = std::string(50'000, 'p'), .token = token}));
  }
  const int64_t before = SystemClock().monotonic_ns();
  client->stop();
  EXPECT_LT(SystemClock().monotonic_ns() - before, 2000 * kNanosPerMilli);
  EXPECT_EQ(told.deliveries.size(), 50u);
}

}  // namespace
}  // namespace millwright::net::mqtt
