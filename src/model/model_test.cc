// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/random.h"
#include "model/bundle.h"
#include "model/scoring.h"
#include "model/stroke_record.h"
#include "onnx/graph_builder.h"

namespace millwright::model {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Threshold some_threshold() {
  Threshold t;
  t.offset = 1.0;
  t.threshold = 3.0;
  t.high = 4.0;
  t.critical = 8.0;
  t.method = "gpd";
  return t;
}

TEST(Threshold, PutsTheThresholdAtHalfAndRises) {
  const Threshold t = some_threshold();
  EXPECT_EQ(t.score01(0.0), 0.0);
  EXPECT_DOUBLE_EQ(t.score01(3.0), 0.5);
  EXPECT_LT(t.score01(3.0), t.score01(3.1));
  EXPECT_TRUE(std::isnan(t.score01(kNan)));
  EXPECT_EQ(t.score01(std::numeric_limits<double>::infinity()), 1.0);
}

TEST(Threshold, GradesSeverityAndNeverAlertsOnNan) {
  const Threshold t = some_threshold();
  EXPECT_EQ(t.severity(2.9), Severity::kLow);
  EXPECT_EQ(t.severity(3.0), Severity::kMedium);
  EXPECT_EQ(t.severity(4.0), Severity::kHigh);
  EXPECT_EQ(t.severity(80.0), Severity::kCritical);
  EXPECT_FALSE(t.is_alert(kNan));
}

TEST(Threshold, RefusesLevelsThatDoNotRise) {
  Threshold t = some_threshold();
  t.high = 2.0;
  EXPECT_THAT(t.validate().error().message, HasSubstr("levels must rise"));
  t = some_threshold();
  t.threshold = kNan;
  EXPECT_FALSE(t.validate());
}

TEST(TopFeatures, NamesTheLargestFirstWithTheirShare) {
  const std::vector<float> contributions = {1.0F, -5.0F, 6.0F, std::nanf(""), 2.0F, 1.0F};
  const Top top = top_features(contributions);
  ASSERT_EQ(top.count, 3);
  EXPECT_EQ(top.items[0].feature, 2);
  EXPECT_FLOAT_EQ(top.items[0].share, 0.6F);
  EXPECT_EQ(top.items[1].feature, 4);
  EXPECT_EQ(top.items[2].feature, 0);
  EXPECT_EQ(top_features({}).count, 0);
}

StrokeRecord some_record() {
  StrokeRecord r;
  r.stroke_id = 42;
  r.plc_cycle = 1042;
  r.trigger_wall_ns = 1'700'000'000'123'456'789;
  r.latency_ns = 1'234'000;
  r.verdict = Verdict::kNoGo;
  r.severity = Severity::kHigh;
  r.is_alert = true;
  r.score = 0.61728;
  r.raw_score = 4.25;
  r.threshold = 3.0;
  r.provider = 1;
  r.top.count = 1;
  r.top.items[0] = {0, 0.75F};
  r.trend = {true, 210};
  r.model = sha256("model");
  return r;
}

RecordContext some_context() { return {"f\"1", "l1", "press-7", "box-1", "boot", {"rms"}, {"ch0"}}; }

TEST(StrokeRecord, SurvivesTheJsonLine) {
  const StrokeRecord record = some_record();
  const std::string line = to_json_line(record, some_context());
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["timestamp"], "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(json["factory_id"], "f\"1");
  EXPECT_EQ(json["top_sensors"][0]["feature"], "rms");
  EXPECT_THAT(line, HasSubstr("\"anomaly_score\":0.6173,"));
  EXPECT_EQ(line.find('\n'), std::string::npos);

  const StrokeRecord read = *parse_json_line(line);
  EXPECT_EQ(read.stroke_id, record.stroke_id);
  EXPECT_EQ(read.plc_cycle, record.plc_cycle);
  EXPECT_EQ(read.verdict, record.verdict);
  EXPECT_EQ(read.severity, record.severity);
  EXPECT_EQ(read.raw_score, record.raw_score);
  EXPECT_EQ(read.latency_ns, record.latency_ns);
  EXPECT_EQ(read.trend.strokes_left, 210U);
  EXPECT_EQ(read.model, record.model);
}

TEST(StrokeRecord, WritesNullWhereThereIsNoScoreAndNamesTheSensor) {
  StrokeRecord record = some_record();
  record.verdict = Verdict::kNoVerdict;
  record.reason = Reason::kSensorFault;
  record.sensor_fault = signal::SensorFault::kFlatLine;
  record.score = record.raw_score = kNan;
  const std::string line = to_json_line(record, some_context());
  EXPECT_THAT(line, HasSubstr("\"anomaly_score\":null"));
  EXPECT_THAT(line, HasSubstr("\"sensor_fault\":\"flat_line\",\"sensor\":\"ch0\""));
  EXPECT_EQ(parse_json_line(line)->sensor_fault, signal::SensorFault::kFlatLine);
}

TEST(StrokeRecord, ReasonsAndVerdictsAreReadByTheNamesTheyAreWrittenBy) {
  for (int i = 0; i <= static_cast<int>(Reason::kMissed); ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(reason_from(name(reason)), reason);
  }
  EXPECT_EQ(verdict_from("MAYBE"), std::nullopt);
}

// score = sum over features of (x - 0)^2, a model small enough to read.
Bytes energy_model(int64_t features) {
  onnx::GraphBuilder graph("energy");
  const std::string in = graph.input("features", onnx::ElementType::kFloat, {"batch", features});
  graph.node("ReduceSumSquare", {in},
             {onnx::GraphBuilder::attribute("axes", std::vector<int64_t>{1}),
              onnx::GraphBuilder::attribute("keepdims", int64_t{0})},
             "score");
  graph.output("score", onnx::ElementType::kFloat, {"batch"});
  return *graph.finish();
}

Bundle some_bundle() {
  Bundle bundle;
  bundle.name = "press7";
  bundle.features = *signal::FeatureSpec::named("reference-64", 1, 2000, 10'000.0);
  bundle.model = energy_model(64);
  bundle.threshold = some_threshold();
  bundle.input_mean.assign(64, 0.5F);
  bundle.input_scale.assign(64, 2.0F);
  bundle.health.push_back({10.0F, 0.01F, 0.2F, 0.1F, 3.0F});
  bundle.golden.features.assign(2 * 64, 0.25F);
  bundle.golden.expected = {1.0F, 1.0F};
  bundle.golden.windows.assign(2000, 0.5F);
  bundle.report["auc"] = 0.987;
  bundle.lineage.detector = "test";
  bundle.lineage.seed = 7;
  return bundle;
}

TEST(Bundle, SurvivesItsFile) {
  const Bundle bundle = some_bundle();
  const auto path = std::filesystem::temp_directory_path() / "millwright_model_test.bundle";
  const Bytes bytes = *encode_bundle(bundle);
  ASSERT_TRUE(write_file_atomic(path, bytes));
  const auto loaded = load_bundle(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->digest, sha256(bytes));
  EXPECT_EQ(loaded->bundle.model, bundle.model);
  EXPECT_EQ(loaded->bundle.features.to_json(), bundle.features.to_json());
  EXPECT_EQ(loaded->bundle.health, bundle.health);
  EXPECT_EQ(loaded->bundle.report, bundle.report);
  EXPECT_EQ(loaded->bundle.golden.windows, bundle.golden.windows);
  EXPECT_EQ(loaded->bundle.threshold.critical, bundle.threshold.critical);
  EXPECT_EQ(*encode_bundle(loaded->bundle), bytes) << "equal parts give equal bytes";
}

TEST(Bundle, AnyByteChangedIsRefused) {
  const Bytes bytes = *encode_bundle(some_bundle());
  Random random(1);
  // Every byte of the header and the manifest's start, then bytes at random: a whole file would take minutes.
  for (size_t trial = 0; trial < 600; ++trial) {
    Bytes changed = bytes;
    const size_t at = trial < 300 ? trial : random.below(bytes.size());
    changed[at] ^= static_cast<std::byte>(1 + random.below(255));
    EXPECT_FALSE(decode_bundle(changed)) << "byte " << at;
  }
}

TEST(Bundle, AnyTruncationAndAnyTailIsRefused) {
  const Bytes bytes = *encode_bundle(some_bundle());
  for (const size_t size : {size_t{0}, size_t{7}, size_t{55}, size_t{56}, bytes.size() / 2, bytes.size() - 1}) {
    const auto decoded = decode_bundle(std::span(bytes).first(size));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_bundle(longer));
}

TEST(Bundle, PartsThatDoNotMatchOneAnotherAreRefused) {
  const auto message = [](const Bundle& bundle) {
    const auto bytes = encode_bundle(bundle);
    return bytes ? std::string("accepted") : bytes.error().message;
  };
  Bundle bundle = some_bundle();
  bundle.model = energy_model(63);
  EXPECT_THAT(message(bundle), HasSubstr("to match the feature spec"));
  bundle = some_bundle();
  bundle.input_mean.pop_back();
  EXPECT_THAT(message(bundle), HasSubstr("63 means but 64 scales"));
  bundle = some_bundle();
  bundle.input_scale[3] = 0.0F;
  EXPECT_THAT(message(bundle), HasSubstr("every scale must be above 0"));
  bundle = some_bundle();
  bundle.golden.expected.clear();
  EXPECT_THAT(message(bundle), HasSubstr("golden vectors: none"));
  bundle = some_bundle();
  bundle.golden.features[5] = std::nanf("");
  EXPECT_THAT(message(bundle), HasSubstr("not finite"));
  bundle = some_bundle();
  bundle.golden.windows.pop_back();
  EXPECT_THAT(message(bundle), HasSubstr("not whole windows of 2000"));
  bundle = some_bundle();
  bundle.golden.windows.resize(3 * 2000);
  EXPECT_THAT(message(bundle), HasSubstr("at most 2 of them"));
  bundle = some_bundle();
  bundle.golden.tolerance_absolute = 1e30;
  EXPECT_THAT(message(bundle), HasSubstr("absolute tolerance"));
  bundle = some_bundle();
  bundle.score_kind = ScoreKind::kReconstruction;
  EXPECT_THAT(message(bundle), HasSubstr("to be a reconstruction"));
  bundle = some_bundle();
  bundle.health.push_back({});
  EXPECT_THAT(message(bundle), HasSubstr("2 references for 1 channels"));
  bundle = some_bundle();
  bundle.name = "../etc";
  EXPECT_THAT(message(bundle), HasSubstr("name"));
}

}  // namespace
}  // namespace millwright::model
