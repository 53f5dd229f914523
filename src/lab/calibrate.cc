// SPDX-License-Identifier: Apache-2.0
#include "lab/calibrate.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "lab/sample_model.h"

namespace millwright::lab {
namespace {

struct Activation {
  std::string name;
  Histogram histogram;
  bool seen = false;
};

class Calibration {
 public:
  Calibration(SampleModel model, std::span<const std::string> names, recording::Dataset& samples,
              const CalibrationOptions& options)
      : model_(std::move(model)), samples_(samples), options_(options) {
    for (const std::string& name : names) activations_.push_back({.name = name, .histogram = {}});
  }

  Result<Ranges> run() {
    const bool two = options_.method != CalibrationMethod::kMinMax;
    all_ = samples_.size() * (two ? 2 : 1);
    MW_CHECK_OK(pass([](Activation& one, std::span<const float> values) { widen(one, values); }));
    if (two) {
      MW_CHECK_OK(pass([](Activation& one, std::span<const float> values) {
        if (one.histogram.high > one.histogram.low) {
          for (const float value : values) one.histogram.add(value);
        }
      }));
    }
    Ranges ranges;
    for (const Activation& one : activations_) {
      ranges.emplace(one.name, clip_range(one.histogram, options_.method, options_.percentile));
    }
    return ranges;
  }

 private:
  static void widen(Activation& one, std::span<const float> values) {
    const auto [low, high] = std::ranges::minmax(values);
    one.histogram.low = one.seen ? std::min<double>(one.histogram.low, low) : low;
    one.histogram.high = one.seen ? std::max<double>(one.histogram.high, high) : high;
    one.seen = true;
  }

  template <typename Take>
  Status pass(const Take& take) {
    for (size_t i = 0; i < samples_.size(); ++i) {
      MW_CHECK_OK(model_.run(samples_, i));
      for (Activation& one : activations_) {
        const std::span<const float> values = values_of(one.name);
        if (values.empty()) continue;
        const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
        if (bad != values.end()) {
          return fail(ErrorCode::kInvalidInput, "sample {}: activation '{}' holds {}", i, one.name, *bad);
        }
        take(one, values);
      }
      if (options_.progress) options_.progress(++done_, all_);
    }
    return {};
  }

  std::span<const float> values_of(const std::string& name) {
    auto& session = model_.session();
    if (session.inputs().front().name == name) return session.input_floats();
    return session.output_floats(model_.output(name));
  }

  SampleModel model_;
  recording::Dataset& samples_;
  const CalibrationOptions& options_;
  std::vector<Activation> activations_;
  size_t done_ = 0;
  size_t all_ = 0;
};

}  // namespace

onnx::Graph with_outputs(const onnx::Graph& graph, std::span<const std::string> values) {
  onnx::Graph out = graph.copy();
  for (const std::string& name : values) {
    const auto same = [&](const onnx::ValueInfo& one) { return one.name == name; };
    if (std::ranges::any_of(out.inputs, same) || std::ranges::any_of(out.outputs, same)) continue;
    const onnx::ValueInfo* value = graph.value(name);
    MW_CHECK(value != nullptr, "a value whose shape is known");
    out.outputs.push_back(*value);
  }
  return out;
}

Result<Ranges> calibrate(const onnx::Graph& graph, std::span<const std::string> activations,
                         recording::Dataset& samples, const CalibrationOptions& options) {
  if (samples.size() == 0) return fail(ErrorCode::kInvalidInput, "calibration: no samples");
  const Bytes watched = MW_TRY(with_outputs(graph, activations).serialize());
  SampleModel model = MW_TRY_IN("calibration", SampleModel::create(watched, samples));
  return MW_TRY_IN("calibration", Calibration(std::move(model), activations, samples, options).run());
}

}  // namespace millwright::lab
