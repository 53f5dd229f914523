// SPDX-License-Identifier: Apache-2.0
#include "edge/judges/bundle_judge.h"

#include <algorithm>

#include "inference/engine_cache.h"
#include "inference/scorer.h"
#include "recording/time_text.h"

namespace millwright::edge {
namespace {

// Enough for every lazy initialisation on the path; the judge is not offered before.
constexpr int kWarmUpRuns = 20;

std::string where(const AssetConfig& asset) {
  return fmt::format("asset '{}': bundle {}", asset.id, asset.bundle.string());
}

// The rung with the folder of its engines for this model and machine.
Result<inference::Rung> with_engines(const model::LoadedBundle& loaded, inference::Rung rung,
                                     const InferenceConfig& settings) {
  if (rung.provider == inference::Provider::kCpu || settings.cache.empty()) return rung;
  MW_CHECK_OK(inference::provider_present(rung.provider));
  const auto key = inference::engine_key(sha256(loaded.bundle.model), rung);
  rung.cache = MW_TRY(inference::open_engine_folder(settings.cache, key)).string();
  return rung;
}

// 0: none.
double budget_ms(const model::LoadedBundle& loaded, const InferenceConfig& settings) {
  const auto found = loaded.bundle.latency_budget_ms.find(settings.profile);
  return found == loaded.bundle.latency_budget_ms.end() ? 0.0 : found->second;
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

Result<model::LoadedBundle> bundle_of(const AssetConfig& asset) {
  auto read = model::load_bundle(asset.bundle);  // whose errors name the file
  if (!read && read.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound,
                "{}: no such file; train one (millwright train --out {}), or let [asset.collect] write windows for it",
                where(asset), asset.bundle.string());
  }
  auto loaded = MW_TRY_IN(fmt::format("asset '{}': bundle", asset.id), std::move(read));
  const signal::FeatureSpec& spec = loaded.bundle.features;
  const WindowConfig& window = asset.window;
  if (spec.channels != window.channels || spec.length != window.length || spec.rate_hz != window.rate_hz) {
    return fail(ErrorCode::kInvalidInput,
                "{}: wants windows of {} channels, {} samples at {} Hz; the asset's window is {}, {}, {}", where(asset),
                spec.channels, spec.length, spec.rate_hz, window.channels, window.length, window.rate_hz);
  }
  return loaded;
}

Result<inference::TrialReport> try_rung(const model::LoadedBundle& loaded, const inference::Rung& rung,
                                        const InferenceConfig& settings, int cancel_fd) {
  inference::TrialOptions options;
  options.cancel_fd = cancel_fd;
  options.session.rung = MW_TRY(with_engines(loaded, rung, settings));
  if (rung.provider == inference::Provider::kCpu) return inference::try_bundle(loaded.bundle, options);
  options.latency_budget_ms = budget_ms(loaded, settings);
  options.deadline = std::chrono::seconds(settings.build_deadline_s);
  auto tried = inference::try_bundle(loaded.bundle, options);
  const bool may_be_the_engine = !tried && tried.error().code == ErrorCode::kRefused;
  if (!may_be_the_engine || !inference::drop_engines(options.session.rung.cache)) return tried;
  return inference::try_bundle(loaded.bundle, options);
}

Status within_budget(const model::LoadedBundle& loaded, const inference::TrialReport& report,
                     const InferenceConfig& settings) {
  const double budget = budget_ms(loaded, settings);
  if (budget <= 0.0 || report.p95_ms <= budget) return {};
  return fail(ErrorCode::kTimedOut, "P95 is {:.3f} ms of {} runs, the budget of profile '{}' is {} ms", report.p95_ms,
              report.runs, settings.profile, budget);
}

Result<std::unique_ptr<Judge>> make_judge(const model::LoadedBundle& loaded, const inference::Rung& rung,
                                          const InferenceConfig& settings) {
  inference::SessionOptions options;
  options.rung = MW_TRY(with_engines(loaded, rung, settings));
  inference::Scorer scorer = MW_TRY(inference::Scorer::create(loaded.bundle, 1, options));
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

JudgeMaker judge_maker(const InferenceConfig& settings) {
  return {.load = bundle_of,
          .try_on = [settings](const auto& loaded, const auto& rung,
                               int cancel_fd) { return try_rung(loaded, rung, settings, cancel_fd); },
          .make = [settings](const auto& loaded, const auto& rung) { return make_judge(loaded, rung, settings); }};
}

}  // namespace millwright::edge
