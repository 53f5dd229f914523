// SPDX-License-Identifier: Apache-2.0
// The ladder as an agent climbs it: a real asset that strikes, and providers that a script makes good or bad.
#include "edge/judges/judges.h"

#include <atomic>
#include <chrono>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "edge/fake_judge.h"

namespace millwright::edge {
namespace {

using inference::Provider;
using inference::Rung;
using ::testing::HasSubstr;

constexpr std::string_view kConfig = R"([agent]
device_id = "box-7"
factory_id = "plant"
line_id = "line1"
state = "state"

[inference]
providers = ["tensorrt", "cuda", "cpu"]

[[asset]]
id = "press1"
bundle = "press.bundle"
deadline_ms = 500
window = { length = 200, rate_hz = 10000 }
trigger = { kind = "external" }
source = { kind = "simulated-press", strokes_per_minute = 1800, strokes = 0 }
output = { kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "pass" }
)";

// Gives 0.5 until it is told to fail, as a GPU does whose driver has gone.
class RungJudge final : public Judge {
 public:
  RungJudge(Provider provider, const std::atomic<bool>& fails) : fails_(fails) {
    facts_.digest.bytes.fill(1);
    facts_.threshold.threshold = 1.0;
    facts_.provider = static_cast<uint8_t>(provider);
    facts_.channels = 1;
    facts_.length = 200;
    facts_.rate_hz = 10'000.0;
  }
  [[nodiscard]] const JudgeFacts& facts() const override { return facts_; }
  [[nodiscard]] bool judge(const signal::Window& /*window*/, Judgement& judgement) noexcept override {
    judgement.raw = 0.5;
    return !fails_;
  }
  [[nodiscard]] std::string_view error() const noexcept override { return "the device has gone"; }
  [[nodiscard]] std::shared_ptr<FeatureSummary> summary() const override { return summary_; }

 private:
  const std::atomic<bool>& fails_;
  JudgeFacts facts_;
  std::shared_ptr<FeatureSummary> summary_ = std::make_shared<FeatureSummary>(0);
};

class JudgesTest : public testing::Test {
 protected:
  void SetUp() override {
    config_ = *parse_config(kConfig, "test.toml", folder_.path());
    auto asset = Asset::create({.config = config_,
                                .asset = config_.assets[0],
                                .clock = clock_,
                                .fast = false,
                                .on_end = {},
                                .metrics = registry_,
                                .show = {},
                                .durable = {}});
    ASSERT_TRUE(asset) << asset.error().message;
    assets_.push_back(std::move(*asset));
    assets_[0]->start();
  }
  void TearDown() override {
    for (const auto& asset : assets_) EXPECT_TRUE(asset->finish(10'000));
  }

  JudgeMaker maker() {
    return {.load = [](const AssetConfig&) -> Result<model::LoadedBundle> {
              model::LoadedBundle loaded;
              loaded.digest.bytes.fill(1);
              return loaded;
            },
            .try_on = [this](const auto&, const Rung& rung, int) -> Result<inference::TrialReport> {
              const auto wrong = wrong_.find(rung.provider);
              if (wrong != wrong_.end()) return std::unexpected(wrong->second);
              return inference::TrialReport{.p95_ms = 0.1, .runs = 200};
            },
            .make = [this](const auto&, const Rung& rung) -> Result<std::unique_ptr<Judge>> {
              return std::make_unique<RungJudge>(rung.provider,
                                                 rung.provider == Provider::kCpu ? never_fails_ : gpu_fails_);
            }};
  }
  // Ticks as the agent does, until the rungs' states are these.
  bool becomes(Judges& judges, const std::string& states) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string now;
    while (now != states && std::chrono::steady_clock::now() < end) {
      assets_[0]->tick();
      judges.tick(assets_);
      now.clear();
      for (const auto& rung : judges.status("press1")) now += rung["state"].get<std::string>() + " ";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(now, states);
    return now == states;
  }
  std::string page() {
    std::string text;
    registry_.render(text);
    return text;
  }

  TemporaryFolder folder_;
  SystemClock clock_;
  metrics::Registry registry_;
  Config config_;
  std::vector<std::unique_ptr<Asset>> assets_;
  std::map<Provider, Error> wrong_;
  std::atomic<bool> gpu_fails_ = false;
  std::atomic<bool> never_fails_ = false;
};

TEST_F(JudgesTest, TheCpuServesAtOnceAndTheHighestThatPassesTakesOver) {
  wrong_.emplace(Provider::kTensorRt, Error{ErrorCode::kUnsupported, "no libnvinfer"});
  Judges judges(config_, clock_, registry_, maker());
  ASSERT_TRUE(judges.load_all(assets_, true));
  EXPECT_EQ(judges.status("press1")[2]["state"], "serving");
  EXPECT_THAT(page(), HasSubstr(R"(edge_provider_rung{device_id="box-7",asset_id="press1",factory_id="plant"} 2)"));
  ASSERT_TRUE(becomes(judges, "unavailable serving unneeded "));
  EXPECT_EQ(judges.status("press1")[0]["why"], "no libnvinfer");
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr(R"(edge_provider_rung{device_id="box-7",asset_id="press1",factory_id="plant"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="TensorrtExecutionProvider",state="unavailable"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(state="waiting")")));
  EXPECT_THAT(text, Not(HasSubstr(R"(provider="CPUExecutionProvider",state="serving")")));
}

TEST_F(JudgesTest, ProvidersWhoseGoldenVectorsDisagreeAreNeverUsed) {
  for (const Provider provider : {Provider::kTensorRt, Provider::kCuda}) {
    wrong_.emplace(provider, Error{ErrorCode::kInvalidInput, "golden vector 0: the score is 1, expected is 2"});
  }
  Judges judges(config_, clock_, registry_, maker());
  ASSERT_TRUE(judges.load_all(assets_, true));
  EXPECT_TRUE(becomes(judges, "disagrees disagrees serving "));
}

TEST_F(JudgesTest, ARungThatFailsWhileItServesIsLeft) {
  wrong_.emplace(Provider::kTensorRt, Error{ErrorCode::kUnsupported, "no libnvinfer"});
  Judges judges(config_, clock_, registry_, maker());
  ASSERT_TRUE(judges.load_all(assets_, true));
  ASSERT_TRUE(becomes(judges, "unavailable serving unneeded "));
  gpu_fails_ = true;
  ASSERT_TRUE(becomes(judges, "unavailable failed serving "));
  EXPECT_THAT(judges.status("press1")[1]["why"].get<std::string>(), HasSubstr("while it served"));
  const uint64_t failed = assets_[0]->model_failures();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(assets_[0]->model_failures(), failed + 1) << "the CPU serves";
}

TEST_F(JudgesTest, AModelThatTheCpuRefusesIsTriedNowhereElse) {
  wrong_.emplace(Provider::kCpu, Error{ErrorCode::kInvalidInput, "golden vector 0: the score is nan"});
  Judges judges(config_, clock_, registry_, maker());
  ASSERT_TRUE(judges.load_all(assets_, true));  // the refusal is logged, the records say so
  EXPECT_TRUE(judges.status("press1").empty());
  EXPECT_EQ(assets_[0]->model(), Digest{});
}

}  // namespace
}  // namespace millwright::edge
