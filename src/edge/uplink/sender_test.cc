// SPDX-License-Identifier: Apache-2.0
#include "edge/uplink/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"

namespace millwright::edge {
namespace {

using net::mqtt::Outcome;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint8_t kNotAuthorised = 0x87;
constexpr uint8_t kPayloadInvalid = 0x99;

// A client whose broker is this test.
class FakePublisher final : public net::mqtt::Publisher {
 public:
  [[nodiscard]] bool connected() const override { return up; }
  [[nodiscard]] size_t room() const override { return up ? most - waiting : 0; }
  [[nodiscard]] bool publish(net::mqtt::Message message) override {
    if (!up || waiting >= most) return false;
    ++waiting;
    sent.push_back(std::move(message));
    return true;
  }
  bool up = true;
  size_t most = 512;
  size_t waiting = 0;
  std::vector<net::mqtt::Message> sent;
};

class SenderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(outbox_.open());
    make(AlertsLeaveOn::kHub);
  }
  void make(AlertsLeaveOn alerts) {
    sender_ = std::make_unique<Sender>(
        outbox_, client_, *model::Topics::create("", "plant", "box"),
        SenderOptions{.line_id = "line", .alerts_leave_on = alerts, .replay_per_s = 100.0}, clock_);
    sender_->connected();
  }
  static OutboxOptions options(outbox::FakeDisk& disk) {
    OutboxOptions options;
    options.open_file = disk.opener();
    for (StreamOptions& stream : options.streams) stream.bytes = 1 << 20;
    return options;
  }
  uint64_t store(Stream stream, uint64_t stroke, std::string_view asset = "press") {
    const std::string line = "{\"stroke_id\":" + std::to_string(stroke) + "}";
    const Message message{.stream = stream, .asset = asset, .stroke_id = stroke, .wall_ns = 1, .payload = line};
    const auto report = outbox_.append(std::span(&message, 1));
    EXPECT_TRUE(report);
    return report->first_sequence;
  }
  void answer(const net::mqtt::Message& message, Outcome outcome, uint8_t reason = 0) {
    --client_.waiting;
    sender_->delivered({.token = message.token, .outcome = outcome, .reason = reason});
  }
  void answer_all(Outcome outcome = Outcome::kAccepted, uint8_t reason = 0) {
    for (const auto& message : std::exchange(client_.sent, {})) answer(message, outcome, reason);
  }
  // As a broker does whose list lets this box write to `asset` alone: at QoS 0 it refuses in silence.
  void answer_by_list(std::string_view asset) {
    for (const auto& message : std::exchange(client_.sent, {})) {
      const bool mine = message.topic.find("/" + std::string(asset) + "/") != std::string::npos;
      answer(message, mine || message.qos == 0 ? Outcome::kAccepted : Outcome::kRefused, mine ? 0 : kNotAuthorised);
    }
  }
  size_t waiting(Stream stream) { return outbox_.read(stream, 0, 10'000)->size(); }
  // What was sent live is proven: time passes, its last is said again at QoS 1 and accepted.
  void prove() {
    clock_.advance_ns(6 * kSecond);
    ASSERT_TRUE(sender_->step());
    answer_all();
  }

  outbox::FakeDisk disk_;
  FakeClock clock_;
  Outbox outbox_{options(disk_), clock_};
  FakePublisher client_;
  std::unique_ptr<Sender> sender_;
};

TEST_F(SenderTest, ALiveScoreGoesAtOnceAndLeavesWhenItsTopicsLastIsProven) {
  store(Stream::kScores, 1);
  store(Stream::kScores, 2);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(2));
  EXPECT_EQ(client_.sent[0].qos, 0);
  EXPECT_EQ(client_.sent[0].topic, "factory/plant/line/line/asset/press/scores");
  const std::string last = client_.sent[1].payload;
  answer_all();  // written to the socket: proves nothing
  EXPECT_EQ(waiting(Stream::kScores), 2U);
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1)) << "the last one again";
  EXPECT_EQ(client_.sent[0].qos, 1);
  EXPECT_EQ(client_.sent[0].payload, last);
  EXPECT_EQ(sender_->figures().unconfirmed_scores, 2U);
  answer_all();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
  EXPECT_EQ(sender_->figures().unconfirmed_scores, 0U);
  clock_.advance_ns(60 * kSecond);
  ASSERT_TRUE(sender_->step());
  EXPECT_THAT(client_.sent, IsEmpty());
}

TEST_F(SenderTest, SummariesOfFeaturesGoToATopicOfTheirOwn) {
  store(Stream::kFeatures, 0);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1));
  EXPECT_EQ(client_.sent[0].qos, 0);
  EXPECT_EQ(client_.sent[0].topic, "factory/plant/line/line/asset/press/features");
  prove();
  EXPECT_EQ(waiting(Stream::kFeatures), 0U);
}

TEST_F(SenderTest, WhatALostConnectionLeftUnprovenIsSentAgainAsHistorical) {
  store(Stream::kScores, 1);
  ASSERT_TRUE(sender_->step());
  answer_all();
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  answer_all(Outcome::kUnanswered);
  EXPECT_EQ(waiting(Stream::kScores), 1U);
  sender_->connected();
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1));
  EXPECT_EQ(client_.sent[0].qos, 1);
  EXPECT_THAT(client_.sent[0].payload, ::testing::HasSubstr("\"historical\":true"));
  answer_all();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
}

TEST_F(SenderTest, AProofCoversOnlyWhatWasSentBeforeItOnItsTopic) {
  store(Stream::kScores, 1);
  ASSERT_TRUE(sender_->step());
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(2));
  store(Stream::kScores, 2);
  store(Stream::kScores, 3, "saw");
  ASSERT_TRUE(sender_->step());
  answer_all();
  EXPECT_EQ(waiting(Stream::kScores), 2U);
}

TEST_F(SenderTest, AScoreThatIsRefusedInSilenceStaysAndHoldsUpNoOtherAsset) {
  for (uint64_t i = 1; i <= 20; ++i) store(Stream::kScores, i, i % 2 == 0 ? "press" : "saw");
  ASSERT_TRUE(sender_->step());
  answer_by_list("press");
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  answer_by_list("press");
  EXPECT_EQ(waiting(Stream::kScores), 10U) << "those of the saw";
  EXPECT_EQ(sender_->figures().held_topics, 1U);
  store(Stream::kScores, 21, "saw");
  store(Stream::kScores, 22, "press");
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1)) << "the press alone; nobody asks for the saw again and again";
  EXPECT_THAT(client_.sent[0].topic, EndsWith("/press/scores"));
  answer_by_list("press");
  // The right is given.
  for (int i = 0; i < 40; ++i) {
    clock_.advance_ns(kSecond);
    ASSERT_TRUE(sender_->step());
    answer_all();
  }
  EXPECT_EQ(waiting(Stream::kScores), 0U);
  EXPECT_EQ(sender_->figures().held_topics, 0U);
}

TEST_F(SenderTest, ARefusedTopicIsAskedForSeldomHoweverLong) {
  for (uint64_t i = 1; i <= 1'000; ++i) {
    store(Stream::kScores, i);
    clock_.advance_ns(kSecond);
    ASSERT_TRUE(sender_->step());
    answer_by_list("another");
  }
  EXPECT_EQ(waiting(Stream::kScores), 1'000U) << "no dead letters: nothing is wrong with them";
  EXPECT_LT(sender_->figures().refused, 1'000U);
}

TEST_F(SenderTest, APoisonedMessageBecomesADeadLetterAndDelaysNobody) {
  const auto broker = [&] {
    for (const auto& message : std::exchange(client_.sent, {})) {
      const bool bad = message.payload.find("\"stroke_id\":3,") != std::string::npos;
      answer(message, bad ? Outcome::kRefused : Outcome::kAccepted, bad ? kPayloadInvalid : 0);
    }
  };
  for (uint64_t i = 1; i <= 10; ++i) store(Stream::kScores, i);
  sender_->connected();
  ASSERT_TRUE(sender_->step());
  broker();
  EXPECT_EQ(waiting(Stream::kScores), 1U) << "the others went at once";
  for (uint64_t i = 11; i <= 700; ++i) {
    store(Stream::kScores, i);
    clock_.advance_ns(kSecond);
    ASSERT_TRUE(sender_->step());
    broker();
    ASSERT_LE(waiting(Stream::kScores), 8U) << "nobody waits for it";
  }
  prove();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
  EXPECT_EQ(
      outbox_.figures().streams[static_cast<size_t>(Stream::kScores)].drops[static_cast<size_t>(DropReason::kRefused)],
      1U);
}

TEST_F(SenderTest, AScoreThatIsTooLargeForTheBrokerIsNotTakenForSent) {
  store(Stream::kScores, 1);
  store(Stream::kScores, 2);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(2));
  const auto sent = std::exchange(client_.sent, {});
  answer(sent[0], Outcome::kRefused, 0x95);
  answer(sent[1], Outcome::kAccepted);
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(2)) << "it is tried again, and the other one is proven";
  for (const auto& message : std::exchange(client_.sent, {})) {
    const bool large = message.payload.find("\"stroke_id\":1,") != std::string::npos;
    answer(message, large ? Outcome::kRefused : Outcome::kAccepted, large ? 0x95 : 0);
  }
  EXPECT_EQ(waiting(Stream::kScores), 1U);
}

TEST_F(SenderTest, AnAlertLeavesOnTheHubsWordAloneAndIsSentAgainWithoutIt) {
  const uint64_t sequence = store(Stream::kAlerts, 1);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1));
  EXPECT_THAT(client_.sent[0].topic, EndsWith("/alerts"));
  EXPECT_EQ(client_.sent[0].qos, 1);
  answer_all();
  EXPECT_EQ(waiting(Stream::kAlerts), 1U) << "a PUBACK is not durable";
  ASSERT_TRUE(sender_->step());
  EXPECT_THAT(client_.sent, IsEmpty());
  clock_.advance_ns(31 * kSecond);
  ASSERT_TRUE(sender_->step());
  EXPECT_THAT(client_.sent, SizeIs(1)) << "sent again";
  sender_->acknowledged({.device_id = "box", .boot_id = outbox_.boot_id(), .seqs = {sequence}});
  EXPECT_EQ(waiting(Stream::kAlerts), 0U);
}

TEST_F(SenderTest, WithoutAHubAnAlertMayLeaveOnThePuback) {
  make(AlertsLeaveOn::kPuback);
  store(Stream::kAlerts, 1);
  ASSERT_TRUE(sender_->step());
  answer_all();
  EXPECT_EQ(waiting(Stream::kAlerts), 0U);
}

TEST_F(SenderTest, ABacklogIsPacedAlertsFirstAndLeavesRoomForWhatIsLive) {
  client_.up = false;
  for (uint64_t i = 1; i <= 300; ++i) store(Stream::kScores, i);
  for (uint64_t i = 1; i <= 10; ++i) store(Stream::kAlerts, i);
  client_.up = true;
  sender_->connected();
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(20)) << "a fifth of a second at 100 a second";
  for (size_t i = 0; i < 10; ++i) EXPECT_THAT(client_.sent[i].topic, EndsWith("/alerts"));
  EXPECT_THAT(client_.sent[10].topic, EndsWith("/scores"));
  answer_all();
  store(Stream::kScores, 301);
  ASSERT_TRUE(sender_->step());
  ASSERT_THAT(client_.sent, SizeIs(1)) << "live, whatever the backlog's pace";
  EXPECT_EQ(client_.sent[0].qos, 0);
  for (int i = 0; i < 40; ++i) {
    clock_.advance_ns(kSecond / 10);
    ASSERT_TRUE(sender_->step());
    answer_all();
  }
  prove();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
}

TEST_F(SenderTest, WhatTheBrokerRefusesStaysAndIsCounted) {
  client_.up = false;
  store(Stream::kScores, 1);
  client_.up = true;
  sender_->connected();
  ASSERT_TRUE(sender_->step());
  answer_all(Outcome::kRefused);
  EXPECT_EQ(sender_->figures().refused, 1U);
  EXPECT_EQ(waiting(Stream::kScores), 1U);
}

TEST_F(SenderTest, WhereNobodyListensNothingLeavesAndAllIsTriedAgain) {
  store(Stream::kScores, 1);
  ASSERT_TRUE(sender_->step());
  clock_.advance_ns(6 * kSecond);
  ASSERT_TRUE(sender_->step());
  answer_all(Outcome::kAccepted, net::mqtt::kReasonNoSubscriber);
  EXPECT_EQ(waiting(Stream::kScores), 1U);
  store(Stream::kScores, 2);
  ASSERT_TRUE(sender_->step());
  EXPECT_THAT(client_.sent, IsEmpty()) << "until it is asked again";
  clock_.advance_ns(31 * kSecond);
  ASSERT_TRUE(sender_->step());
  EXPECT_THAT(client_.sent, SizeIs(2));
  answer_all();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
}

TEST_F(SenderTest, AnAlertOutlivesAnyNumberOfRefusals) {
  store(Stream::kAlerts, 1);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(sender_->step());
    answer_all(Outcome::kRefused);
    clock_.advance_ns(31 * kSecond);
  }
  EXPECT_EQ(waiting(Stream::kAlerts), 1U);
  EXPECT_GE(sender_->figures().refused, 200U);
}

TEST_F(SenderTest, AFullClientIsNoLoss) {
  client_.most = 3;
  for (uint64_t i = 1; i <= 10; ++i) store(Stream::kScores, i);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(sender_->step());
    answer_all();
  }
  prove();
  EXPECT_EQ(waiting(Stream::kScores), 0U);
  EXPECT_EQ(sender_->figures().live, 10U);
}

}  // namespace
}  // namespace millwright::edge
