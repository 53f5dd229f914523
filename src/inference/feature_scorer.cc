// SPDX-License-Identifier: Apache-2.0
#include "inference/feature_scorer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace millwright::inference {
namespace {

constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

Status check_normalisation(const FeatureModel& model) {
  const size_t n = model.feature_count;
  if (model.mean.size() != model.scale.size() || (!model.mean.empty() && model.mean.size() != n)) {
    return fail(ErrorCode::kInvalidInput, "normalisation: {} means and {} scales for {} features", model.mean.size(),
                model.scale.size(), n);
  }
  for (size_t i = 0; i < model.mean.size(); ++i) {
    if (std::isfinite(model.mean[i]) && std::isfinite(model.scale[i]) && model.scale[i] > 0.0F) continue;
    return fail(ErrorCode::kInvalidInput, "normalisation: feature {} has mean {} and scale {}", i, model.mean[i],
                model.scale[i]);
  }
  return {};
}

size_t elements(const Session::Tensor& tensor) {
  const size_t size = onnx::element_bytes(tensor.type);
  return size == 0 ? 0 : tensor.data.size() / size;
}

Status expect_floats(const Session::Tensor& tensor, size_t batch, size_t per_row, std::string_view what) {
  if (tensor.type != onnx::ElementType::kFloat) {
    return fail(ErrorCode::kInvalidInput, "model: its {} '{}' is {}, wanted is float", what, tensor.name,
                onnx::name(tensor.type));
  }
  if (elements(tensor) != batch * per_row || tensor.shape.empty() || tensor.shape[0] != static_cast<int64_t>(batch)) {
    return fail(ErrorCode::kInvalidInput, "model: its {} '{}' has shape ({}), wanted is ({}, {})", what, tensor.name,
                fmt::join(tensor.shape, ", "), batch, per_row);
  }
  return {};
}

Status check_tensors(Session& session, const FeatureModel& model) {
  const size_t batch = session.batch();
  const size_t n = model.feature_count;
  if (session.inputs().size() != 1) {
    return fail(ErrorCode::kInvalidInput, "model: {} inputs, wanted is one of {} features", session.inputs().size(), n);
  }
  MW_CHECK_OK(expect_floats(session.inputs()[0], batch, n, "input"));
  if (model.kind == model::ScoreKind::kReconstruction) {
    return expect_floats(session.outputs()[0], batch, n, "reconstruction");
  }
  MW_CHECK_OK(expect_floats(session.outputs()[0], batch, 1, "score"));
  if (session.outputs().size() < 2) return {};
  return expect_floats(session.outputs()[1], batch, n, "output of shares");
}

}  // namespace

FeatureModel feature_model_of(const model::Bundle& bundle) {
  return {.model = bundle.model,
          .kind = bundle.score_kind,
          .feature_count = bundle.features.feature_count(),
          .mean = bundle.input_mean,
          .scale = bundle.input_scale};
}

FeatureScorer::FeatureScorer(Session session, const FeatureModel& model)
    : session_(std::move(session)),
      kind_(model.kind),
      features_(model.feature_count),
      mean_(model.mean.begin(), model.mean.end()),
      scale_(model.scale.begin(), model.scale.end()),
      raw_(session_.batch(), kNoScore) {
  if (kind_ == model::ScoreKind::kReconstruction) {
    squared_errors_.resize(session_.batch() * features_);
    shares_ = squared_errors_;
  } else if (session_.outputs().size() >= 2) {
    shares_ = session_.output_floats(1);
  }
}

Result<FeatureScorer> FeatureScorer::create(const FeatureModel& model, size_t batch, const SessionOptions& options) {
  if (model.feature_count == 0) return fail(ErrorCode::kInvalidInput, "model: no features");
  MW_CHECK_OK(check_normalisation(model));
  Session session = MW_TRY(Session::create(model.model, batch, options));
  MW_CHECK_OK(check_tensors(session, model));
  return FeatureScorer(std::move(session), model);
}

void FeatureScorer::normalise(size_t rows) {
  if (mean_.empty()) return;
  for (size_t r = 0; r < rows; ++r) {
    float* x = row(r).data();
    for (size_t i = 0; i < features_; ++i) x[i] = (x[i] - mean_[i]) / scale_[i];
  }
}

void FeatureScorer::reconstruction_error(size_t row_index) {
  const float* x = row(row_index).data();
  const float* y = session_.output_floats().data() + row_index * features_;
  float* squared = squared_errors_.data() + row_index * features_;
  for (size_t i = 0; i < features_; ++i) squared[i] = (x[i] - y[i]) * (x[i] - y[i]);
  double sum = 0.0;
  for (size_t i = 0; i < features_; ++i) sum += static_cast<double>(squared[i]);
  raw_[row_index] = sum / static_cast<double>(features_);
}

bool FeatureScorer::run(size_t rows) {
  MW_CHECK(rows <= batch(), "more rows than the batch holds");
  normalise(rows);
  if (!session_.run()) {
    std::ranges::fill(raw_, kNoScore);
    return false;
  }
  if (kind_ == model::ScoreKind::kReconstruction) {
    for (size_t r = 0; r < rows; ++r) reconstruction_error(r);
  } else {
    const std::span<const float> scores = session_.output_floats();
    for (size_t r = 0; r < rows; ++r) raw_[r] = static_cast<double>(scores[r]);
  }
  return true;
}

Scored FeatureScorer::scored(size_t index) const {
  if (shares_.empty()) return {.raw = raw_[index], .contributions = {}};
  return {.raw = raw_[index], .contributions = shares_.subspan(index * features_, features_)};
}

bool FeatureScorer::score_rows(std::span<const float> rows, std::span<double> out) {
  MW_CHECK(rows.size() == out.size() * features_, "one score per row");
  bool good = true;
  for (size_t done = 0; done < out.size();) {
    const size_t count = std::min(batch(), out.size() - done);
    std::ranges::copy(rows.subspan(done * features_, count * features_), session_.input_floats().begin());
    good = run(count) && good;
    std::copy_n(raw_.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(done));
    done += count;
  }
  return good;
}

}  // namespace millwright::inference
