// SPDX-License-Identifier: Apache-2.0
#include "edge/bundle_judge.h"

#include <algorithm>

#include "inference/scorer.h"
#include "inference/trial.h"
#include "model/bundle.h"
#include "recording/time_text.h"

namespace millwright::edge {
namespace {

// Enough for every lazy initialisation on the path; the judge is not offered before.
constexpr int kWarmUpRuns = 20;

std::string where(const AssetConfig& asset) {
  return fmt::format("asset '{}': bundle {}", asset.id, asset.bundle.string());
}

Result<model::LoadedBundle> load(const AssetConfig& asset) {
  auto loaded = MW_TRY_IN(where(asset), model::load_bundle(asset.bundle));
  const signal::FeatureSpec& spec = loaded.bundle.features;
  const WindowConfig& window = asset.window;
  if (spec.channels != window.channels || spec.length != window.length || spec.rate_hz != window.rate_hz) {
    return fail(ErrorCode::kInvalidInput,
                "{}: wants windows of {} channels, {} samples at {} Hz; the asset's window is {}, {}, {}", where(asset),
                spec.channels, spec.length, spec.rate_hz, window.channels, window.length, window.rate_hz);
  }
  return loaded;
}

class BundleJudge final : public Judge {
 public:
  BundleJudge(inference::Scorer scorer, JudgeFacts facts)
      : scorer_(std::move(scorer)),
        facts_(std::move(facts)),
        summary_(std::make_shared<FeatureSummary>(scorer_.features().feature_count())) {}

  [[nodiscard]] const JudgeFacts& facts() const override { return facts_; }
  [[nodiscard]] bool judge(const signal::Window& window, Judgement& judgement) noexcept override {
    scorer_.extract(window, 0);
    inference::FeatureScorer& features = scorer_.features();
    if (warm_) summary_->add(features.row(0));  // before the row is normalised in its place
    static_cast<void>(features.run(1));         // a failure shows as NaN
    const inference::Scored scored = features.scored(0);
    judgement = {.raw = scored.raw, .contributions = scored.contributions};
    return scorer_.last_error().empty();
  }
  [[nodiscard]] std::string_view error() const noexcept override { return scorer_.last_error(); }

  [[nodiscard]] std::shared_ptr<FeatureSummary> summary() const override { return summary_; }

  void warm_up() {
    // A ramp is a live signal to every feature; what it scores does not matter.
    std::vector<float> samples(facts_.channels * facts_.length);
    for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i % 97) * 0.01F;
    Judgement ignored;
    for (int i = 0; i < kWarmUpRuns; ++i) {
      (void)judge(
          {.samples = samples, .channels = facts_.channels, .length = facts_.length, .rate_hz = scorer_.spec().rate_hz},
          ignored);
    }
    warm_ = true;
  }

 private:
  inference::Scorer scorer_;
  JudgeFacts facts_;
  std::shared_ptr<FeatureSummary> summary_;
  bool warm_ = false;
};

}  // namespace

Status check_bundle(const AssetConfig& asset) {
  if (const auto loaded = load(asset); !loaded) return std::unexpected(loaded.error());
  return {};
}

Result<std::unique_ptr<Judge>> make_bundle_judge(const AssetConfig& asset) {
  auto loaded = MW_TRY(load(asset));
  // First in a child process: a model that never returns or eats all memory must not do so here.
  [[maybe_unused]] const auto trial = MW_TRY_IN(where(asset), inference::try_bundle(loaded.bundle));
  inference::Scorer scorer = MW_TRY_IN(where(asset), inference::Scorer::create(loaded.bundle));
  JudgeFacts facts;
  facts.digest = loaded.digest;
  facts.threshold = loaded.bundle.threshold;
  facts.health = loaded.bundle.health;
  facts.feature_names = loaded.bundle.features.feature_names();
  facts.provider = static_cast<uint8_t>(scorer.features().session().provider());
  facts.channels = loaded.bundle.features.channels;
  facts.length = loaded.bundle.features.length;
  facts.rate_hz = loaded.bundle.features.rate_hz;
  const auto created_s = recording::parse_time_text(loaded.bundle.lineage.created_utc);
  constexpr double kLastS = 9e9;  // the year 2255: beyond it nanoseconds do not fit
  facts.created_wall_ns = static_cast<int64_t>(std::clamp(created_s.value_or(0.0), 0.0, kLastS) * 1e9);
  auto judge = std::make_unique<BundleJudge>(std::move(scorer), std::move(facts));
  judge->warm_up();
  return judge;
}

}  // namespace millwright::edge
