// SPDX-License-Identifier: Apache-2.0
#include "inference/scorer.h"

#include <algorithm>

#include "base/check.h"

namespace millwright::inference {
namespace {

// From samples to score as on the training machine: a program whose features mean something else is found out here.
Status check_golden_windows(const model::Bundle& bundle, Scorer& scorer) {
  const signal::FeatureSpec& spec = bundle.features;
  const size_t samples = spec.channels * spec.length;
  const model::GoldenVectors& golden = bundle.golden;
  for (size_t i = 0; i < golden.windows.size() / samples; ++i) {
    const Scored scored = scorer.score({.samples = std::span(golden.windows).subspan(i * samples, samples),
                                        .channels = spec.channels,
                                        .length = spec.length,
                                        .rate_hz = spec.rate_hz});
    const auto expected = static_cast<double>(golden.expected[i]);
    if (model::golden_agrees(scored.raw, expected, golden.tolerance_relative, golden.tolerance_absolute)) continue;
    return fail(ErrorCode::kInvalidInput,
                "golden window {}: the score is {}, expected is {}; this program computes other features than the one "
                "that trained the model: train again, or run the program's version in its lineage",
                i, scored.raw, expected);
  }
  return {};
}

}  // namespace

Result<Scorer> Scorer::create(const signal::FeatureSpec& spec, const FeatureModel& model, size_t batch,
                              const SessionOptions& options) {
  signal::FeatureExtractor extractor = MW_TRY(signal::FeatureExtractor::create(spec));
  if (model.feature_count != extractor.feature_count()) {
    return fail(ErrorCode::kInvalidInput, "model: {} features, the feature spec '{}' makes {}", model.feature_count,
                spec.name, extractor.feature_count());
  }
  FeatureScorer scorer = MW_TRY(FeatureScorer::create(model, batch, options));
  return Scorer(std::move(extractor), std::move(scorer));
}

Result<Scorer> Scorer::create(const model::Bundle& bundle, size_t batch, const SessionOptions& options) {
  Scorer scorer = MW_TRY(create(bundle.features, feature_model_of(bundle), batch, options));
  MW_CHECK_OK(check_golden_windows(bundle, scorer));
  return scorer;
}

Scored Scorer::score(const signal::Window& window) {
  extractor_.extract(window, scorer_.row(0));
  static_cast<void>(scorer_.run(1));  // a failure shows as NaN
  return scorer_.scored(0);
}

void Scorer::score_batch(std::span<const signal::Window> windows, std::span<double> raw) {
  MW_CHECK(windows.size() == raw.size(), "one score per window");
  const size_t batch = scorer_.batch();
  const size_t features = scorer_.feature_count();
  for (size_t done = 0; done < windows.size();) {
    const size_t count = std::min(batch, windows.size() - done);
    extractor_.extract_batch(windows.subspan(done, count), scorer_.session().input_floats().first(count * features));
    static_cast<void>(scorer_.run(count));
    for (size_t i = 0; i < count; ++i) raw[done + i] = scorer_.scored(i).raw;
    done += count;
  }
}

}  // namespace millwright::inference
