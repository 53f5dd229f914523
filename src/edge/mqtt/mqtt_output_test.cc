// SPDX-License-Identifier: Apache-2.0
// The output beside a real mosquitto.
#include "edge/mqtt/mqtt_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "net/mqtt/broker_fixture.h"

namespace millwright::edge {
namespace {

using net::mqtt::eventually;
using net::mqtt::Notes;
using net::mqtt::options_for;
using net::mqtt::RealBroker;
using nlohmann::json;

class MqttOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    broker_.start();
    auto options = options_for(broker_.port(), "plc");
    options.filters = {"hall/press/#"};
    auto listener = net::mqtt::Client::start(options, heard_);
    ASSERT_TRUE(listener);
    listener_ = std::move(*listener);
    ASSERT_TRUE(heard_.wait([&] { return heard_.subscriptions.size() == 1; }));
    auto output = MqttOutput::create(
        {.broker = options_for(broker_.port(), "box-1-verdicts"), .topic = "hall/press", .asset_id = "press"});
    ASSERT_TRUE(output) << output.error().message;
    output_ = std::move(*output);
    ASSERT_TRUE(eventually([&] { return output_->link()->up; }));
  }
  std::vector<json> heard(std::string_view topic) {
    return heard_.look([&] {
      std::vector<json> found;
      for (const auto& message : heard_.inbound) {
        if (message.topic == topic) found.push_back(json::parse(message.payload));
      }
      return found;
    });
  }

  RealBroker broker_;
  Notes heard_;
  std::unique_ptr<net::mqtt::Client> listener_;
  std::unique_ptr<MqttOutput> output_;
};

TEST_F(MqttOutputTest, EachVerdictIsOneMessageInOrder) {
  constexpr uint64_t kStrokes = 500;
  for (uint64_t id = 1; id <= kStrokes; ++id) {
    output_->drive({.stroke_id = id,
                    .plc_cycle = id + 7,
                    .verdict = id % 2 == 0 ? model::Verdict::kGo : model::Verdict::kNoGo,
                    .stop = id % 2 != 0,
                    .score = 0.25});
  }
  ASSERT_TRUE(eventually([&] { return heard("hall/press").size() == kStrokes; }));
  const auto messages = heard("hall/press");
  for (uint64_t id = 1; id <= kStrokes; ++id) {
    EXPECT_EQ(messages[id - 1]["stroke_id"], id);
    EXPECT_EQ(messages[id - 1]["plc_cycle"], id + 7);
    EXPECT_EQ(messages[id - 1]["verdict"], id % 2 == 0 ? "GO" : "NO_GO");
    EXPECT_EQ(messages[id - 1]["stop"], id % 2 != 0);
    EXPECT_EQ(messages[id - 1]["score"], 0.25);
  }
}

TEST_F(MqttOutputTest, AfterABrokerWasGoneOnlyTheNewestWordIsSaid) {
  output_->drive({.stroke_id = 1, .verdict = model::Verdict::kGo, .stop = false});
  ASSERT_TRUE(eventually([&] { return heard("hall/press").size() == 1; }));
  broker_.kill();
  ASSERT_TRUE(eventually([&] { return !output_->link()->up; }));
  EXPECT_NE(output_->link()->last_error, "");
  for (uint64_t id = 2; id <= 5; ++id) output_->drive({.stroke_id = id});
  broker_.start();
  // Whichever of both is back first.
  ASSERT_TRUE(eventually([&] { return output_->link()->up && listener_->connected(); }));
  output_->drive({.stroke_id = 6});
  ASSERT_TRUE(eventually([&] {
    const auto messages = heard("hall/press");
    return messages.back()["stroke_id"] == 6;
  }));
  for (const json& message : heard("hall/press")) {
    EXPECT_TRUE(message["stroke_id"] == 1 || message["stroke_id"] >= 5) << message;
  }
  EXPECT_GE(output_->link()->refused, 3U);
}

TEST_F(MqttOutputTest, TheFarSideLearnsWhatAnEndMeansAndHearsTheLoop) {
  output_->heartbeat(9);
  output_->heartbeat(10);
  ASSERT_TRUE(eventually([&] { return heard("hall/press/heartbeat").size() == 1; }));
  EXPECT_EQ(heard("hall/press/heartbeat")[0]["beat"], 10);
  output_.reset();
  ASSERT_TRUE(eventually([&] { return heard("hall/press/status").size() == 2; }));
  EXPECT_EQ(heard("hall/press/status")[0]["status"], "online");
  EXPECT_EQ(heard("hall/press/status")[1]["status"], "offline");
  EXPECT_EQ(heard("hall/press/status")[1]["on_death"], "stop");
}

}  // namespace
}  // namespace millwright::edge
