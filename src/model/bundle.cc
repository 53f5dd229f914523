// SPDX-License-Identifier: Apache-2.0
#include "model/bundle.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/bundle_manifest.h"
#include "onnx/model.h"

namespace millwright::model {
namespace {

constexpr double kMaxRelativeTolerance = 0.01;
constexpr double kMaxToleranceOfSpan = 0.01;

bool all_finite(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

Status check_normalisation(const Bundle& bundle, size_t features) {
  if (bundle.input_mean.size() != bundle.input_scale.size()) {
    return fail(ErrorCode::kInvalidInput, "normalisation: {} means but {} scales", bundle.input_mean.size(),
                bundle.input_scale.size());
  }
  if (!bundle.input_mean.empty() && bundle.input_mean.size() != features) {
    return fail(ErrorCode::kInvalidInput, "normalisation: {} means for {} features", bundle.input_mean.size(),
                features);
  }
  if (!all_finite(bundle.input_mean)) return fail(ErrorCode::kInvalidInput, "normalisation: a mean is not finite");
  for (const float scale : bundle.input_scale) {
    if (!(scale > 0.0F) || !std::isfinite(scale)) {
      return fail(ErrorCode::kInvalidInput, "normalisation: every scale must be above 0");
    }
  }
  return {};
}

// `span`: raw score from the offset to the threshold. A tolerance that is wide against it would prove nothing.
Status check_golden(const GoldenVectors& golden, const signal::FeatureSpec& spec, double span) {
  const size_t features = spec.feature_count();
  const size_t count = golden.expected.size();
  if (count == 0) return fail(ErrorCode::kInvalidInput, "golden vectors: none; a box could not qualify the model");
  if (count > kMaxGoldenVectors)
    return fail(ErrorCode::kTooLarge, "golden vectors: {}, the limit is {}", count, kMaxGoldenVectors);
  if (golden.features.size() != count * features) {
    return fail(ErrorCode::kInvalidInput, "golden vectors: {} numbers for {} vectors of {} features",
                golden.features.size(), count, features);
  }
  if (!all_finite(golden.features) || !all_finite(golden.expected)) {
    return fail(ErrorCode::kInvalidInput, "golden vectors: a number is not finite");
  }
  const size_t samples = spec.channels * spec.length;
  const size_t windows = golden.windows.size() / samples;
  if (windows * samples != golden.windows.size() || windows > std::min(count, kMaxGoldenWindows)) {
    return fail(ErrorCode::kInvalidInput, "golden windows: {} numbers, not whole windows of {}, at most {} of them",
                golden.windows.size(), samples, std::min(count, kMaxGoldenWindows));
  }
  if (!all_finite(golden.windows)) return fail(ErrorCode::kInvalidInput, "golden windows: a sample is not finite");
  if (!(golden.tolerance_relative >= 0.0) || golden.tolerance_relative > kMaxRelativeTolerance) {
    return fail(ErrorCode::kInvalidInput, "golden vectors: the relative tolerance {} must be in 0 to {}",
                golden.tolerance_relative, kMaxRelativeTolerance);
  }
  if (!(golden.tolerance_absolute >= 0.0) || golden.tolerance_absolute > kMaxToleranceOfSpan * span) {
    return fail(ErrorCode::kInvalidInput,
                "golden vectors: the absolute tolerance {} must be at most {} of the way from offset to threshold",
                golden.tolerance_absolute, kMaxToleranceOfSpan);
  }
  return {};
}

// The model takes (batch, features) floats and gives a score per row, or the row again.
Status check_model_shape(const onnx::Summary& summary, const Bundle& bundle, size_t features) {
  if (summary.inputs.size() != 1 || summary.inputs[0].type != onnx::ElementType::kFloat) {
    return fail(ErrorCode::kInvalidInput, "model.onnx: must have one input of float, it has {} inputs",
                summary.inputs.size());
  }
  const onnx::Shape& in = summary.inputs[0].shape;
  if (in.size() != 2 || in[1].size != static_cast<int64_t>(features)) {
    return fail(ErrorCode::kInvalidInput,
                "model.onnx: input '{}' must have shape (batch, {}) to match the feature spec", summary.inputs[0].name,
                features);
  }
  if (summary.outputs.empty() || summary.outputs[0].type != onnx::ElementType::kFloat) {
    return fail(ErrorCode::kInvalidInput, "model.onnx: the first output must be float");
  }
  const onnx::Shape& out = summary.outputs[0].shape;
  const auto width = static_cast<int64_t>(features);
  if (bundle.score_kind == ScoreKind::kReconstruction &&
      (out.size() != 2 || (out[1].size >= 0 && out[1].size != width))) {
    return fail(ErrorCode::kInvalidInput, "model.onnx: output '{}' must have shape (batch, {}) to be a reconstruction",
                summary.outputs[0].name, features);
  }
  const bool one_score = out.size() == 1 || (out.size() == 2 && (out[1].size == 1 || out[1].size < 0));
  if (bundle.score_kind == ScoreKind::kOutput && !one_score) {
    return fail(ErrorCode::kInvalidInput, "model.onnx: output '{}' must have shape (batch) or (batch, 1) to be a score",
                summary.outputs[0].name);
  }
  return {};
}

// Every part against every other: what encode and decode both promise.
Status check_bundle(const Bundle& bundle) {
  MW_CHECK_OK(check_name(bundle.name));
  if (auto status = bundle.features.validate(); !status) return with_context(std::move(status).error(), "features");
  const size_t features = bundle.features.feature_count();
  MW_CHECK_OK(bundle.threshold.validate());
  MW_CHECK_OK(check_normalisation(bundle, features));
  MW_CHECK_OK(check_golden(bundle.golden, bundle.features, bundle.threshold.threshold - bundle.threshold.offset));
  if (!bundle.health.empty() && bundle.health.size() != bundle.features.channels) {
    return fail(ErrorCode::kInvalidInput, "health: {} references for {} channels", bundle.health.size(),
                bundle.features.channels);
  }
  const onnx::Model model = MW_TRY_IN("model.onnx", onnx::Model::parse(bundle.model));
  return check_model_shape(model.summary(), bundle, features);
}

Result<Bundle> take_apart(std::span<const std::byte> bytes) {
  const Container container = MW_TRY(read_container(bytes));
  Bundle bundle = MW_TRY_IN("manifest", parse_manifest(container.manifest));
  bundle.model.assign(container.model.begin(), container.model.end());
  bundle.features = MW_TRY_IN("features.json", signal::FeatureSpec::parse_json(as_text(container.features)));
  bundle.health = MW_TRY_IN("health.json", parse_health(as_text(container.health)));
  bundle.input_mean = MW_TRY_IN("mean.f32", parse_floats(container.mean));
  bundle.input_scale = MW_TRY_IN("scale.f32", parse_floats(container.scale));
  bundle.golden.features = MW_TRY_IN("golden_features.f32", parse_floats(container.golden_features));
  bundle.golden.expected = MW_TRY_IN("golden_expected.f32", parse_floats(container.golden_expected));
  bundle.golden.windows = MW_TRY_IN("golden_windows.f32", parse_floats(container.golden_windows));
  MW_CHECK_OK(check_bundle(bundle));
  return bundle;
}

}  // namespace

Result<Bytes> encode_bundle(const Bundle& bundle) {
  if (auto status = check_bundle(bundle); !status) return with_context(std::move(status).error(), "bundle");
  return MW_TRY_IN("bundle", write_container(bundle));
}

Result<Bundle> decode_bundle(std::span<const std::byte> bytes) { return MW_TRY_IN("bundle", take_apart(bytes)); }

Result<LoadedBundle> load_bundle(const std::filesystem::path& path) {
  const Bytes bytes = MW_TRY(read_file(path, kMaxBundleBytes));
  LoadedBundle loaded{.bundle = MW_TRY_IN(path.string(), decode_bundle(bytes)), .digest = sha256(bytes)};
  return loaded;
}

}  // namespace millwright::model
