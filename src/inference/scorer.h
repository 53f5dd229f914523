// SPDX-License-Identifier: Apache-2.0
// A window in, a raw score out: the whole stroke path between trigger and verdict.
#pragma once

#include <span>

#include "inference/feature_scorer.h"
#include "signal/features.h"
#include "signal/window.h"

namespace millwright::inference {

// One per thread. After create() nothing here allocates (beyond what ONNX Runtime does itself) or locks.
class Scorer {
 public:
  // Batch 1 is the stroke path; 64 serves many channels. Errors as FeatureScorer::create and FeatureExtractor::create;
  // kInvalidInput where the bundle's golden windows do not get their scores.
  static Result<Scorer> create(const model::Bundle& bundle, size_t batch = 1, const SessionOptions& options = {});
  // A foreign model without a bundle; `model.feature_count` must be that of the spec.
  static Result<Scorer> create(const signal::FeatureSpec& spec, const FeatureModel& model, size_t batch = 1,
                               const SessionOptions& options = {});

  // The window has the spec's shape; a non-finite sample gives a NaN or a meaningless score, so that sensor health is
  // checked before. Never fails: where the model does, the score is NaN and last_error() says why.
  Scored score(const signal::Window& window);

  // The first half of score(): the window's features into `row` of the model's input.
  void extract(const signal::Window& window, size_t row) { extractor_.extract(window, scorer_.row(row)); }

  // Micro-batched; raw.size() == windows.size(). Contributions are not kept.
  void score_batch(std::span<const signal::Window> windows, std::span<double> raw);

  [[nodiscard]] FeatureScorer& features() { return scorer_; }
  [[nodiscard]] const signal::FeatureSpec& spec() const { return extractor_.spec(); }
  [[nodiscard]] const std::string& last_error() const { return scorer_.last_error(); }

 private:
  Scorer(signal::FeatureExtractor extractor, FeatureScorer scorer)
      : extractor_(std::move(extractor)), scorer_(std::move(scorer)) {}

  signal::FeatureExtractor extractor_;
  FeatureScorer scorer_;
};

}  // namespace millwright::inference
