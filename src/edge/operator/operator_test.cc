// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numbers>

#include <nlohmann/json.hpp>

#include "edge/fake_records.h"
#include "edge/operator/label_log.h"
#include "edge/operator/operator_view.h"
#include "edge/operator/page.h"

namespace millwright::edge {
namespace {

using ::testing::HasSubstr;

AssetConfig press() {
  AssetConfig asset;
  asset.id = "press \"7\"";
  asset.window = {.channels = 1, .length = 2000, .rate_hz = 10'000.0};
  return asset;
}

model::StrokeRecord judged(uint64_t id, double score) {
  model::StrokeRecord record;
  record.stroke_id = id;
  record.score = score;
  record.is_alert = score >= 0.5;
  record.verdict = record.is_alert ? model::Verdict::kNoGo : model::Verdict::kGo;
  return record;
}

TEST(OperatorView, ShowsTheLastStrokeTheScoresBeforeItAndWhichCallToJudge) {
  OperatorView view(press());
  LoopCounters counters;
  EXPECT_TRUE(nlohmann::json::parse(view.json("", counters, 0, 0))["record"].is_null()) << "before the first stroke";
  view.stroke(judged(1, 0.25));
  view.stroke(judged(2, 0.75));
  view.stroke({.stroke_id = 3});
  ASSERT_TRUE(view.last_stroke());
  EXPECT_EQ(view.last_stroke()->stroke_id, 3U);
  counters.alarm_state = AlarmState::kUnacknowledged;
  const auto shown = nlohmann::json::parse(view.json("{\"stroke_id\":3}\n", counters, 5, 7'000'000'000));
  EXPECT_EQ(shown["asset_id"], "press \"7\"");
  EXPECT_EQ(shown["stroke_age_s"], 7.0);
  EXPECT_EQ(shown["record"]["stroke_id"], 3);
  EXPECT_EQ(shown["scores"].dump(), "[0.25,0.75,null]");
  EXPECT_EQ(shown["last_alert_id"], 2);
  EXPECT_EQ(shown["can_acknowledge"], true);
  EXPECT_EQ(shown["records_pending"], 5);
}

TEST(OperatorView, IsBoundedWhateverRuns) {
  OperatorView view(press());
  const std::vector<float> window(2000, 1.0F);
  for (uint64_t id = 1; id <= 1'000; ++id) view.stroke(judged(id, 0.123456789));
  view.window(window);
  const LoopCounters counters;
  const std::string text = view.json("{}", counters, 0, 0);
  EXPECT_EQ(nlohmann::json::parse(text)["scores"].size(), kShownScores);
  EXPECT_LT(text.size(), 16'000U);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(OperatorView, AThinnedWaveformKeepsItsPeaks) {
  std::vector<float> samples(10'000, 0.0F);
  samples[7'777] = 9.0F;
  samples[1'234] = -8.0F;
  const auto thin = thin_out(samples, 600);
  EXPECT_EQ(thin.size(), 600U);
  EXPECT_EQ(std::ranges::max(thin), 9.0F);
  EXPECT_EQ(std::ranges::min(thin), -8.0F);
  EXPECT_EQ(thin_out(std::span(samples).first(10), 600).size(), 10U);
}

// 20 log10 of the amplitude, at the frequency's place: 0.5 is -6.02 dB.
TEST(OperatorView, ASpectrumShowsASineAtItsFrequencyWithItsAmplitude) {
  std::vector<float> samples(2'048);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(0.5 * std::sin(2.0 * std::numbers::pi * 0.125 * static_cast<double>(i)));
  }
  const auto db = spectrum_db(samples, 256);
  ASSERT_EQ(db.size(), 256U);
  const auto peak = std::ranges::max_element(db) - db.begin();
  EXPECT_EQ(peak, 64);  // an eighth of the rate is a quarter of the half
  EXPECT_NEAR(db[64], -6.02F, 0.02F);
  EXPECT_LT(db[128], -80.0F);
  EXPECT_TRUE(spectrum_db(std::span(samples).first(3), 256).empty());
}

TEST(LabelLog, KeepsLabelsAndRefusesWhatIsNone) {
  const TemporaryFolder folder;
  const SystemClock clock;
  const auto file = folder.path() / "labels.jsonl";
  LabelLog labels(file, "press7", clock);
  ASSERT_TRUE(labels.add(7, "nuisance"));
  ASSERT_TRUE(labels.add(7, "true"));
  EXPECT_THAT(labels.add(7, "great").error().message, HasSubstr("true, nuisance or unknown"));
  EXPECT_FALSE(labels.add(0, "true"));
  std::ifstream lines(file);
  std::string first;
  std::string second;
  std::string third;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, third));
  EXPECT_EQ(nlohmann::json::parse(second)["label"], "true");
  EXPECT_EQ(nlohmann::json::parse(first)["stroke_id"], 7);
}

TEST(Page, AsksForNothingFromOutside) {
  for (const std::string_view text : {kPageHtml, kPageCss, kPageJs}) {
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(text.find("http:"), std::string_view::npos);
    EXPECT_EQ(text.find("https:"), std::string_view::npos);
    EXPECT_EQ(text.find("innerHTML"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace millwright::edge
