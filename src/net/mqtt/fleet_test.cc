// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "base/clock.h"
#include "base/random.h"
#include "net/mqtt/broker_fixture.h"
#include "net/mqtt/fleet_subscriber.h"

namespace millwright::net::mqtt {
namespace {

std::string stroke(uint64_t seq, const std::string& boot = "start-1", const std::string& asset = "press7") {
  model::StrokeRecord record;
  record.stroke_id = seq;
  record.is_alert = true;
  record.score = 0.9;
  return model::stroke_message(
      model::to_json_line(record, {.factory_id = "f1", .line_id = "l1", .asset_id = asset, .device_id = "box-7"}),
      {.boot_id = boot, .seq = seq});
}

const std::string kAlerts = "factory/f1/line/l1/asset/press7/alerts";
const std::string kScores = "factory/f1/line/l1/asset/press7/scores";

class Hub final : public FleetEvents {
 public:
  bool on_alert(const model::StrokeMessage& message, std::string_view) override {
    const std::lock_guard lock(mutex);
    if (!stores) return false;
    alerts.push_back(message.identity.seq);
    return true;
  }
  void on_score(const model::StrokeMessage& message, std::string_view) override {
    const std::lock_guard lock(mutex);
    scores.push_back(message.identity.seq);
  }
  void on_status(const model::TopicParts&, const model::StatusMessage& message) override {
    const std::lock_guard lock(mutex);
    online = message.online;
  }
  void on_refused(std::string_view, const Error& why) override {
    const std::lock_guard lock(mutex);
    refusals.push_back(why.message);
  }
  template <typename Function>
  auto look(Function&& function) {
    const std::lock_guard lock(mutex);
    return function();
  }
  std::mutex mutex;
  bool stores = true;
  bool online = false;
  std::vector<uint64_t> alerts, scores;
  std::vector<std::string> refusals;
};

class FakePublisher final : public Publisher {
 public:
  [[nodiscard]] bool connected() const override { return true; }
  [[nodiscard]] size_t room() const override { return full ? 0 : 1; }
  [[nodiscard]] bool publish(Message message) override {
    if (!full) messages.push_back(std::move(message));
    return !full;
  }
  bool full = false;
  std::vector<Message> messages;
};

TEST(SeenMessages, KnowsExactlyWhatItWasTold) {
  Random random(5);
  SeenMessages seen(100'000);
  std::set<uint64_t> told;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t seq = random.below(10'000);
    EXPECT_EQ(seen.contains("box", "boot", seq), told.contains(seq));
    seen.insert("box", "boot", seq);
    told.insert(seq);
  }
  EXPECT_FALSE(seen.contains("box", "other", *told.begin()));
  EXPECT_FALSE(seen.contains("other", "boot", *told.begin()));
  seen.insert("box", "boot", UINT64_MAX);
  seen.insert("box", "boot", 0);
  EXPECT_TRUE(seen.contains("box", "boot", UINT64_MAX));
  EXPECT_FALSE(seen.contains("box", "boot", UINT64_MAX - 1));
}

TEST(SeenMessages, OneRunCostsNoMoreThanOne) {
  SeenMessages seen(10);
  for (uint64_t seq = 0; seq < 100'000; ++seq) seen.insert("box", "boot", seq ^ 1);
  EXPECT_EQ(seen.runs(), 1u);
}

TEST(SeenMessages, ForgetsTheSilentestAndNeverInventsARepetition) {
  SeenMessages seen(1000);
  for (uint64_t device = 0; device < 10'000; ++device) {
    const std::string id = std::to_string(device);
    EXPECT_FALSE(seen.contains(id, "boot", 7));
    seen.insert(id, "boot", 7);
    ASSERT_LE(seen.runs(), 1000u);
  }
  EXPECT_TRUE(seen.contains("9999", "boot", 7));
  EXPECT_FALSE(seen.contains("0", "boot", 7));
  for (uint64_t seq = 0; seq < 10'000; seq += 2) {
    EXPECT_FALSE(seen.contains("holes", "boot", seq));
    seen.insert("holes", "boot", seq);
    ASSERT_LE(seen.runs(), 1000u);
  }
}

TEST(FleetReader, TellsEachMessageOnceAndAcknowledgesAlertsEachTime) {
  Hub hub;
  FakePublisher publisher;
  FleetReader reader("", hub);
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (uint64_t seq : {3, 1, 2}) reader.read(kAlerts, stroke(seq), publisher);
    for (uint64_t seq : {4, 5}) reader.read(kScores, stroke(seq), publisher);
  }
  EXPECT_EQ(hub.alerts, (std::vector<uint64_t>{3, 1, 2}));
  EXPECT_EQ(hub.scores, (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ(reader.figures().duplicates, 10u);
  ASSERT_EQ(publisher.messages.size(), 9u);
  EXPECT_EQ(publisher.messages[0].topic, "factory/f1/edge/box-7/ack");
  EXPECT_EQ(publisher.messages[0].payload, R"({"device_id":"box-7","boot_id":"start-1","seqs":[3]})");
  reader.read(kAlerts, stroke(1, "start-2"), publisher);
  EXPECT_EQ(hub.alerts.size(), 4u);
}

TEST(FleetReader, TellsFeaturesOnceAndOnlyOfTheAssetOfTheirTopic) {
  class Listener final : public FleetEvents {
   public:
    bool on_alert(const model::StrokeMessage&, std::string_view) override { return false; }
    void on_features(const model::TopicParts& from, const model::FeaturesMessage& message, std::string_view) override {
      EXPECT_EQ(from.asset_id, message.asset_id);
      strokes.push_back(message.strokes);
    }
    std::vector<uint64_t> strokes;
  } listener;
  const model::FeaturesMessage sent{.timestamp = format_utc(1'700'000'000'000'000'000),
                                    .device_id = "box-7",
                                    .asset_id = "press7",
                                    .model = "ce",
                                    .period_s = 300.0,
                                    .strokes = 90,
                                    .features = 1,
                                    .names = {"rms"},
                                    .mean = {1.0},
                                    .sd = {0.1},
                                    .min = {0.5},
                                    .max = {1.5}};
  const std::string payload = model::stroke_message(model::features_line(sent), {.boot_id = "start-1", .seq = 1});
  FakePublisher publisher;
  FleetReader reader("", listener);
  for (int repetition = 0; repetition < 2; ++repetition) {
    reader.read("factory/f1/line/l1/asset/press7/features", payload, publisher);
  }
  reader.read("factory/f1/line/l1/asset/press8/features", payload, publisher);
  reader.read("factory/f1/line/l1/asset/press7/features", "{}", publisher);
  EXPECT_EQ(listener.strokes, std::vector<uint64_t>{90});
  EXPECT_EQ(reader.figures().features, 1u);
  EXPECT_EQ(reader.figures().duplicates, 1u);
  EXPECT_EQ(reader.figures().refused, 2u);
  EXPECT_TRUE(publisher.messages.empty());
}

TEST(FleetReader, DoesNotAcknowledgeWhatWasNotStored) {
  Hub hub;
  hub.stores = false;
  FakePublisher publisher;
  FleetReader reader("", hub);
  reader.read(kAlerts, stroke(1), publisher);
  EXPECT_TRUE(publisher.messages.empty());
  hub.stores = true;
  publisher.full = true;
  reader.read(kAlerts, stroke(1), publisher);
  EXPECT_EQ(hub.alerts.size(), 1u);
  EXPECT_EQ(reader.figures().acks_dropped, 1u);
  publisher.full = false;
  reader.read(kAlerts, stroke(1), publisher);
  EXPECT_EQ(hub.alerts.size(), 1u);
  EXPECT_EQ(publisher.messages.size(), 1u);
}

TEST(FleetReader, RefusesWhatSpeaksOfSomethingElse) {
  Hub hub;
  FakePublisher publisher;
  FleetReader reader("", hub);
  reader.read(kAlerts, stroke(1, "start-1", "press8"), publisher);
  reader.read("factory/f1/edge/box-8/status",
              model::status_message({.device_id = "box-7", .online = true, .timestamp = format_utc(0)}), publisher);
  reader.read("factory/f1/edge/box-7/ack", R"({"device_id":"box-7","boot_id":"b","seqs":[1]})", publisher);
  reader.read("factory/f1/edge/box-7/command", "{}", publisher);
  EXPECT_EQ(reader.figures().refused, 4u);
  EXPECT_TRUE(hub.alerts.empty());
  EXPECT_FALSE(hub.online);
  EXPECT_TRUE(publisher.messages.empty());
}

TEST(FleetReader, DamagedMessagesChangeNothing) {
  Hub hub;
  FakePublisher publisher;
  FleetReader reader("", hub);
  Random random(36);
  constexpr uint64_t kMessages = 20'000;
  const std::string good = stroke(1);
  for (uint64_t i = 0; i < kMessages; ++i) {
    std::string payload = good;
    std::string topic = kAlerts;
    // Each damage breaks the form: a byte that JSON never has, a cut, or a topic that is none.
    switch (random.below(3)) {
      case 0: payload[random.below(payload.size())] = static_cast<char>(random.below(0x20) == 9 ? 1 : 0xFF); break;
      case 1: payload.resize(random.below(payload.size())); break;
      default: topic[random.below(topic.size())] = '+'; break;
    }
    reader.read(topic, payload, publisher);
  }
  EXPECT_EQ(reader.figures().refused, kMessages);
  EXPECT_TRUE(hub.alerts.empty());
  EXPECT_TRUE(publisher.messages.empty());
  reader.read(kAlerts, good, publisher);
  EXPECT_EQ(hub.alerts.size(), 1u);
}

TEST(FleetSubscriber, HearsAllFactoriesAndAnswersTheDevice) {
  RealBroker broker;
  broker.start();
  Hub hub;
  const auto subscriber = *FleetSubscriber::start(options_for(broker.port(), "hub"), "acme/eu", hub);
  ASSERT_TRUE(eventually([&] { return subscriber->listening(); }));
  EXPECT_EQ(subscriber->trouble(), "");

  Notes told;
  const auto topics = *model::Topics::create("acme/eu", "f1", "box-7");
  ClientOptions options = options_for(broker.port(), "box-7");
  options.filters = {topics.edge(model::Channel::kAck), topics.edge(model::Channel::kCommand)};
  options.status_topic = topics.edge(model::Channel::kStatus);
  options.status = [](bool online) {
    return model::status_message({.device_id = "box-7", .online = online, .timestamp = format_utc(0)});
  };
  const auto device = *Client::start(options, told);
  ASSERT_TRUE(told.wait([&] { return told.subscriptions.size() == 2; }));
  EXPECT_TRUE(eventually([&] { return hub.look([&] { return hub.online; }); }));
  ASSERT_TRUE(device->publish({.topic = topics.asset("l1", "press7", model::Channel::kAlerts), .payload = stroke(11)}));
  ASSERT_TRUE(told.wait([&] { return told.inbound.size() == 1; }));
  EXPECT_EQ(model::parse_ack_message(told.inbound[0].payload)->seqs, std::vector<uint64_t>{11});
  EXPECT_EQ(hub.look([&] { return hub.alerts; }), std::vector<uint64_t>{11});

  ASSERT_TRUE(
      subscriber->command("f1", {.device_id = "box-7", .command_id = "c", .asset_id = "press7", .user = "anna"}));
  ASSERT_TRUE(told.wait([&] { return told.inbound.size() == 2; }));
  EXPECT_EQ(model::parse_command_message(told.inbound[1].payload)->user, "anna");
}

}  // namespace
}  // namespace millwright::net::mqtt
