// SPDX-License-Identifier: Apache-2.0
// The source beside a real mosquitto.
#include "edge/mqtt/mqtt_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/mqtt/broker_fixture.h"

namespace millwright::edge {
namespace {

using net::mqtt::eventually;
using net::mqtt::Notes;
using net::mqtt::options_for;
using net::mqtt::RealBroker;
using testing::HasSubstr;

constexpr size_t kLength = 64;

std::string window_of(float value) {
  const std::vector<float> samples(kLength, value);
  return {reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(float)};
}

class MqttSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    broker_.start();
    auto source = MqttSource::create(options(), clock_);
    ASSERT_TRUE(source) << source.error().message;
    source_ = std::move(*source);
    auto teller = net::mqtt::Client::start(options_for(broker_.port(), "gateway"), told_);
    ASSERT_TRUE(teller);
    teller_ = std::move(*teller);
    ASSERT_TRUE(eventually([&] { return source_->link()->up && teller_->connected(); }));
  }
  MqttSourceOptions options() {
    return {.broker = options_for(broker_.port(), "box-1-press-samples"),
            .topic = "hall/press",
            .inbox = {.payload = {.length = kLength}, .rate_hz = 10'000.0}};
  }
  void tell(std::string payload, bool retain = false) {
    ASSERT_TRUE(teller_->publish({.topic = "hall/press", .payload = std::move(payload), .qos = 1, .retain = retain}));
  }
  Block next() { return source_->next(4096, clock_.monotonic_ns() + 10'000'000'000); }

  SystemClock clock_;
  RealBroker broker_;
  std::unique_ptr<MqttSource> source_;
  Notes told_;
  std::unique_ptr<net::mqtt::Client> teller_;
};

TEST_F(MqttSourceTest, WindowsArriveInOrderEachOnce) {
  constexpr int kMessages = 100;
  for (int i = 0; i < kMessages; ++i) tell(window_of(static_cast<float>(i)));
  for (int i = 0; i < kMessages; ++i) {
    const int64_t before = clock_.monotonic_ns();
    const Block block = next();
    ASSERT_EQ(block.kind, Block::Kind::kSamples);
    EXPECT_EQ(block.planar[kLength - 1], static_cast<float>(i));
    EXPECT_EQ(block.events.size(), 1U);
    EXPECT_LE(block.arrival_ns, clock_.monotonic_ns());
    EXPECT_GT(block.arrival_ns, before - 10'000'000'000);
  }
}

TEST_F(MqttSourceTest, ABrokerThatIsGoneIsNamedAndComesBack) {
  broker_.kill();
  ASSERT_TRUE(eventually([&] { return !source_->link()->up; }));
  EXPECT_THAT(source_->link()->why, HasSubstr("broker 127.0.0.1"));
  EXPECT_EQ(source_->next(4096, clock_.monotonic_ns()).kind, Block::Kind::kIdle);
  broker_.start();
  ASSERT_TRUE(eventually([&] { return source_->link()->up && teller_->connected(); }));
  EXPECT_EQ(source_->link()->connects, 2U);
  tell(window_of(7.0F));
  EXPECT_EQ(next().planar[0], 7.0F);
}

TEST_F(MqttSourceTest, WhatIsNoWindowIsNamedAndTheNextOneIsTaken) {
  tell("not a window");
  tell(window_of(1.0F) + window_of(1.0F));
  tell(window_of(2.0F));
  EXPECT_EQ(next().planar[0], 2.0F);
  EXPECT_EQ(source_->counters().refused, 2U);
  EXPECT_THAT(source_->refusal().value_or(""), HasSubstr("a payload of 12 bytes"));
}

TEST_F(MqttSourceTest, ARetainedWindowIsNoStroke) {
  tell(window_of(1.0F), true);
  EXPECT_EQ(next().planar[0], 1.0F);  // it is live for those who listened
  auto late = MqttSource::create({.broker = options_for(broker_.port(), "box-2"),
                                  .topic = "hall/press",
                                  .inbox = {.payload = {.length = kLength}, .rate_hz = 10'000.0}},
                                 clock_);
  ASSERT_TRUE(late);
  ASSERT_TRUE(eventually([&] { return (*late)->counters().refused == 1; }));
  EXPECT_EQ((*late)->next(4096, clock_.monotonic_ns()).kind, Block::Kind::kIdle);
  EXPECT_THAT((*late)->refusal().value_or(""), HasSubstr("retained"));
}

TEST_F(MqttSourceTest, TheCheckSaysWhetherTheTopicCanBeHeard) {
  EXPECT_TRUE(check_source(options()));
  broker_.kill();
  const Status gone = check_source(options());
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message, HasSubstr("cannot reach broker"));
}

TEST_F(MqttSourceTest, StopEndsTheWait) {
  source_->stop();
  EXPECT_EQ(next().kind, Block::Kind::kStopped);
}

}  // namespace
}  // namespace millwright::edge
