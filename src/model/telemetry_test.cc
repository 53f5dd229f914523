// SPDX-License-Identifier: Apache-2.0
#include "model/telemetry.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/clock.h"

namespace millwright::model {
namespace {

const std::string kTimestamp = format_utc(1'700'000'000'123'456'000);

std::string record_line() {
  StrokeRecord record;
  record.stroke_id = 42;
  record.trigger_wall_ns = 1'700'000'000'123'456'000;
  record.verdict = Verdict::kNoGo;
  record.severity = Severity::kHigh;
  record.is_alert = true;
  record.score = 0.87654321;
  record.top.count = 1;
  return to_json_line(
      record,
      {.factory_id = "f1", .line_id = "l1", .asset_id = "press7", .device_id = "box-7", .boot_id = "kernel-boot"});
}

const MessageIdentity kIdentity{.boot_id = "start-1", .seq = 9, .historical = true};

TEST(Topics, AreTheAgreedOnes) {
  const auto topics = Topics::create("", "f1", "box-7");
  ASSERT_TRUE(topics.has_value());
  EXPECT_EQ(topics->asset("l1", "press7", Channel::kScores), "factory/f1/line/l1/asset/press7/scores");
  EXPECT_EQ(topics->asset("l1", "press7", Channel::kAlerts), "factory/f1/line/l1/asset/press7/alerts");
  EXPECT_EQ(topics->asset("l1", "press7", Channel::kHealth), "factory/f1/line/l1/asset/press7/health");
  EXPECT_EQ(topics->edge(Channel::kStatus), "factory/f1/edge/box-7/status");
  EXPECT_EQ(topics->edge(Channel::kAck), "factory/f1/edge/box-7/ack");
  EXPECT_EQ(topics->edge(Channel::kCommand), "factory/f1/edge/box-7/command");
  EXPECT_EQ(fleet_filter("", Channel::kAlerts), "factory/+/line/+/asset/+/alerts");
  EXPECT_EQ(fleet_filter("acme/eu", Channel::kStatus), "acme/eu/factory/+/edge/+/status");
}

TEST(Topics, ReadBackWhatTheyWrite) {
  const auto topics = Topics::create("acme/eu", "Werk-Köln", "box-7");
  ASSERT_TRUE(topics.has_value());
  const auto asset = parse_topic("acme/eu", topics->asset("l1", "press7", Channel::kFeatures));
  ASSERT_TRUE(asset.has_value());
  EXPECT_EQ(asset->channel, Channel::kFeatures);
  EXPECT_EQ(asset->factory_id, "Werk-Köln");
  EXPECT_EQ(asset->asset_id, "press7");
  const auto edge = parse_topic("acme/eu", topics->edge(Channel::kAck));
  ASSERT_TRUE(edge.has_value());
  EXPECT_EQ(edge->device_id, "box-7");
}

TEST(Topics, IdsThatWouldBeOtherTopicsAreRefused) {
  for (const std::string id : {"", "a/b", "+", "a#", "$SYS", "two words", "tab\t", "\x7f", "\xff", "\xc3", "\xc2\x85",
                               "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf"}) {
    EXPECT_FALSE(check_id("asset_id", id).has_value()) << id;
    EXPECT_FALSE(Topics::create("", "f1", id).has_value()) << id;
  }
  EXPECT_FALSE(check_id("asset_id", std::string(kMaxIdBytes + 1, 'a')).has_value());
  EXPECT_TRUE(check_id("asset_id", std::string(kMaxIdBytes, 'a')).has_value());
  EXPECT_TRUE(check_id("asset_id", "Presse-Süd_2.a").has_value());
  for (const std::string prefix : {"/", "a/", "/a", "a//b", "a/+", "#"}) {
    EXPECT_FALSE(check_prefix(prefix).has_value()) << prefix;
  }
}

TEST(Topics, StrangeOnesAreRefused) {
  for (const std::string topic :
       {"", "factory", "factory/f/edge/d", "factory/f/edge/d/scores", "factory/f/line/l/asset/a/status",
        "factory/f/line/l/asset/a/scores/x", "factory//line/l/asset/a/scores", "works/f/edge/d/ack",
        "factory/f/edge/d/ACK", "factory/f/side/d/ack", "factory/f/row/l/asset/a/scores"}) {
    EXPECT_FALSE(parse_topic("", topic).has_value()) << topic;
  }
  EXPECT_FALSE(parse_topic("acme", "factory/f/edge/d/ack").has_value());
}

TEST(StrokeMessage, IsTheRecordsLineWithItsIdentity) {
  const std::string payload = stroke_message(record_line(), kIdentity);
  EXPECT_TRUE(payload.starts_with(record_line().substr(0, record_line().size() - 1)));
  EXPECT_TRUE(payload.ends_with(R"(,"message":{"boot_id":"start-1","seq":9,"historical":true}})"));
  EXPECT_NE(payload.find(R"("anomaly_score":0.8765,)"), std::string::npos);
  const auto message = parse_stroke_message(payload);
  ASSERT_TRUE(message.has_value()) << message.error().message;
  EXPECT_EQ(message->identity.boot_id, "start-1");
  EXPECT_EQ(message->identity.seq, 9u);
  EXPECT_TRUE(message->identity.historical);
  EXPECT_EQ(message->timestamp, kTimestamp);
  EXPECT_EQ(message->device_id, "box-7");
  EXPECT_EQ(message->record.stroke_id, 42u);
  EXPECT_EQ(message->record.severity, Severity::kHigh);
  // The journal's reader takes the message too, and passes over the identity.
  EXPECT_TRUE(parse_json_line(payload).has_value());
}

TEST(StrokeMessage, AMemberThatWeDoNotKnowDoesNotSilenceANewerAgent) {
  std::string payload = stroke_message(record_line(), kIdentity);
  payload.insert(1, R"("of_tomorrow":[1],)");
  EXPECT_TRUE(parse_stroke_message(payload).has_value());
}

TEST(StrokeMessage, WhatIsWrongIsNamed) {
  const std::string good = stroke_message(record_line(), kIdentity);
  const auto broken = [&good](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto message = parse_stroke_message(text);
    EXPECT_FALSE(message.has_value()) << to;
    return message ? "" : message.error().message;
  };
  EXPECT_NE(broken(R"("anomaly_score":0.8765)", R"("anomaly_score":1.5)").find("anomaly_score"), std::string::npos);
  EXPECT_NE(broken(R"("asset_id":"press7")", R"("asset_id":"press7/x")").find("asset_id"), std::string::npos);
  EXPECT_NE(broken(R"("seq":9)", R"("seq":-9)").find("seq"), std::string::npos);
  EXPECT_NE(broken(R"("seq":9)", R"("seq":9,"seq":10)").find("stands twice"), std::string::npos);
  EXPECT_NE(broken(R"("historical":true)", R"("historical":1)").find("historical"), std::string::npos);
  EXPECT_NE(broken(R"("is_alert":true)", R"("is_alert":"yes")").find("is_alert"), std::string::npos);
  EXPECT_NE(broken(kTimestamp, "yesterday").find("timestamp"), std::string::npos);
  EXPECT_NE(broken(R"("severity":"HIGH")", R"("severity":"LOUD")").find("severity"), std::string::npos);
  EXPECT_NE(broken(R"("top_sensors":[)", R"("top_sensors":[7,)").find("JSON object"), std::string::npos);
  EXPECT_EQ(parse_stroke_message(std::string(kMaxPayloadBytes + 1, ' ')).error().code, ErrorCode::kTooLarge);
}

TEST(HealthMessage, RoundsAsAgreedAndKeepsWhatIsMore) {
  const HealthMessage health{
      .identity = kIdentity,
      .timestamp = kTimestamp,
      .device_id = "box-7",
      .cpu_pct = 12.34,
      .temp_c = 61.26,
      .figures = {{"uptime_s", 3600.0}, {"no good", 1.0}, {"bad", std::numeric_limits<double>::quiet_NaN()}}};
  const std::string payload = health_message(health);
  EXPECT_NE(payload.find(R"("cpu_pct":12.3,"gpu_pct":null,"temp_c":61.3,"uptime_s":3600,)"), std::string::npos)
      << payload;
  const auto back = parse_health_message(payload);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->temp_c, 61.3);
  EXPECT_FALSE(back->gpu_pct.has_value());
  ASSERT_EQ(back->figures.size(), 1u);
  EXPECT_EQ(back->figures[0].first, "uptime_s");
}

TEST(StatusMessage, IsWhatTheFleetReads) {
  const std::string payload = status_message({.device_id = "box-7", .online = false, .timestamp = kTimestamp});
  EXPECT_EQ(payload, R"({"device_id":"box-7","status":"offline","timestamp":")" + kTimestamp + R"("})");
  EXPECT_FALSE(parse_status_message(payload)->online);
  EXPECT_FALSE(parse_status_message(R"({"device_id":"box-7","status":"away","timestamp":")" + kTimestamp + R"("})"));
}

TEST(AckMessage, NamesWhatIsStored) {
  const std::string payload = ack_message({.device_id = "box-7", .boot_id = "start-1", .seqs = {1, 2, UINT64_MAX}});
  EXPECT_EQ(payload, R"({"device_id":"box-7","boot_id":"start-1","seqs":[1,2,18446744073709551615]})");
  EXPECT_EQ(parse_ack_message(payload)->seqs, (std::vector<uint64_t>{1, 2, UINT64_MAX}));
  for (const std::string bad :
       {R"({"device_id":"box-7","boot_id":"s","seqs":[]})", R"({"device_id":"box-7","boot_id":"s","seqs":[1.0]})",
        R"({"device_id":"box-7","boot_id":"s","seqs":[-1]})",
        R"({"device_id":"box-7","boot_id":"s","seqs":[1],"more":1})", R"({"device_id":"box-7","seqs":[1]})", "[]",
        "null", ""}) {
    EXPECT_FALSE(parse_ack_message(bad).has_value()) << bad;
  }
}

TEST(CommandMessage, IsTakenOnlyAsItIsMeant) {
  const CommandMessage shelve{.device_id = "box-7",
                              .command_id = "c1",
                              .kind = CommandKind::kShelve,
                              .asset_id = "press7",
                              .user = "anna",
                              .minutes = 30};
  const auto back = parse_command_message(command_message(shelve));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->kind, CommandKind::kShelve);
  EXPECT_EQ(back->minutes, 30u);
  const auto with = [](std::string_view kind, std::string_view minutes) {
    return fmt::format(R"({{"device_id":"d","command_id":"c","command":"{}","asset_id":"a","user":"u","minutes":{}}})",
                       kind, minutes);
  };
  EXPECT_TRUE(parse_command_message(with("acknowledge", "0")).has_value());
  for (const auto& [kind, minutes] : {std::pair{"acknowledge", "5"},
                                      {"shelve", "10081"},
                                      {"shelve", "-1"},
                                      {"shelve", "1e2"},
                                      {"reboot", "0"},
                                      {"", "0"}}) {
    EXPECT_FALSE(parse_command_message(with(kind, minutes)).has_value()) << kind << minutes;
  }
}

TEST(Telemetry, FeaturesSayWhatTheyDidOverAPeriod) {
  FeaturesMessage sent{.identity = {.boot_id = "b", .seq = 3, .historical = false},
                       .timestamp = "2026-11-22T14:03:07.123456Z",
                       .device_id = "box-7",
                       .asset_id = "press7",
                       .model = "00ff",
                       .period_s = 300.0,
                       .strokes = 90,
                       .features = 64,
                       .names = {"rms", "\"odd\""},
                       .mean = {1.5, std::numeric_limits<double>::quiet_NaN()},
                       .sd = {0.25, std::numeric_limits<double>::infinity()},
                       .min = {1.0, -1e-9},
                       .max = {2.0, 1e9}};
  const std::string payload = stroke_message(features_line(sent), sent.identity);
  const auto read = parse_features_message(payload);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->identity.seq, 3U);
  EXPECT_EQ(read->strokes, 90U);
  EXPECT_EQ(read->names, sent.names);
  EXPECT_EQ(read->mean[0], 1.5);
  EXPECT_TRUE(std::isnan(read->mean[1]));
  EXPECT_TRUE(std::isnan(read->sd[1]));
  EXPECT_EQ(read->min[1], -1e-9);
  const auto broken = [&](std::string_view what, std::string_view by) {
    std::string text = payload;
    text.replace(text.find(what), what.size(), by);
    return !parse_features_message(text);
  };
  EXPECT_TRUE(broken("[1.5,null]", "[1.5]"));
  EXPECT_TRUE(broken("[1.5,null]", "[1.5,\"x\"]"));
  EXPECT_TRUE(broken("300.000", "0"));
  EXPECT_TRUE(broken("\"strokes\"", "\"stroke\""));
}

}  // namespace
}  // namespace millwright::model
