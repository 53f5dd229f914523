// SPDX-License-Identifier: Apache-2.0
// Features in, raw score out: normalisation, model, and how its output is read. Training, qualification and the stroke
// path all score through here, so that a threshold means the same everywhere.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/session.h"
#include "model/bundle.h"

namespace millwright::inference {

// One window's result. `raw` is NaN where the model failed or said so; the caller turns that into "no verdict".
struct Scored {
  double raw = 0.0;
  std::span<const float> contributions;  // one per feature, or empty; valid until the next call
};

struct FeatureModel {
  std::span<const std::byte> model;  // ONNX; needed only while the scorer is made
  model::ScoreKind kind = model::ScoreKind::kOutput;
  size_t feature_count = 0;
  std::span<const float> mean;   // empty: no normalisation
  std::span<const float> scale;  // all finite and above 0
};

// A bundle's part for a scorer; a view that must not outlive the bundle.
FeatureModel feature_model_of(const model::Bundle& bundle);

// One per thread. After create() nothing here allocates or locks.
class FeatureScorer {
 public:
  // kInvalidInput where the model's inputs and outputs do not fit features and score kind; else as Session::create.
  static Result<FeatureScorer> create(const FeatureModel& model, size_t batch, const SessionOptions& options = {});

  [[nodiscard]] size_t batch() const { return session_.batch(); }
  [[nodiscard]] size_t feature_count() const { return features_; }
  // Row `index` (below batch()) of the model's input: write raw features here, then run().
  [[nodiscard]] std::span<float> row(size_t index) {
    return session_.input_floats().subspan(index * features_, features_);
  }
  // Normalises and scores rows 0 to rows - 1; the others are computed along and mean nothing. False: the model failed,
  // every score is NaN, last_error() says why.
  bool run(size_t rows);
  [[nodiscard]] Scored scored(size_t index) const;

  // Copies any number of rows through the batch; out.size() rows of feature_count() values. Same failure as run().
  bool score_rows(std::span<const float> rows, std::span<double> out);

  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] const std::string& last_error() const { return session_.last_error(); }

 private:
  FeatureScorer(Session session, const FeatureModel& model);
  void normalise(size_t rows);
  void reconstruction_error(size_t row);

  Session session_;
  model::ScoreKind kind_;
  size_t features_;
  std::vector<float> mean_;
  std::vector<float> scale_;
  std::vector<double> raw_;            // batch
  std::vector<float> squared_errors_;  // batch x features, for reconstructions
  std::span<const float> shares_;      // batch x features, the model's second output; or empty
};

}  // namespace millwright::inference
