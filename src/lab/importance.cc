// SPDX-License-Identifier: Apache-2.0
#include "lab/importance.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lab/calibrate.h"
#include "lab/sample_model.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

constexpr std::array<std::pair<std::string_view, Criterion>, 4> kNames = {{{"l1", Criterion::kL1},
                                                                           {"l2", Criterion::kL2},
                                                                           {"bn", Criterion::kBatchNorm},
                                                                           {"activation", Criterion::kActivation}}};

// `sizes` go with `channels` one by one.
void add_relative(ChannelScores& scores, const std::vector<size_t>& channels, const std::vector<double>& sizes) {
  const double mean = std::accumulate(sizes.begin(), sizes.end(), 0.0) / static_cast<double>(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) scores[channels[i]] += mean > 0.0 ? sizes[i] / mean : 0.0;
}

// Of each slice along `axis`: the sum of magnitudes, or the root of the sum of squares.
std::vector<double> norms(const Tensor& tensor, size_t axis, bool squared) {
  std::vector<double> sums(static_cast<size_t>(tensor.dims[axis]), 0.0);
  size_t inner = 1;
  for (size_t i = axis + 1; i < tensor.dims.size(); ++i) inner *= static_cast<size_t>(tensor.dims[i]);
  const auto values = tensor.floats();
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    sums[i / inner % sums.size()] += squared ? value * value : std::abs(value);
  }
  if (squared) std::ranges::transform(sums, sums.begin(), [](double sum) { return std::sqrt(sum); });
  return sums;
}

void score_filters(const ChannelPruner& pruner, bool squared, ChannelScores& scores) {
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const Node& node = pruner.graph().nodes[layer.node];
    const Tensor& weights = *pruner.graph().constant(node.inputs[1]);
    add_relative(scores, pruner.map().channels(node.outputs[0]), norms(weights, layer.output_axis, squared));
  }
}

// The BatchNorm that was folded into what makes the value: between the two there are constants only.
const Tensor* norm_scale(const Graph& before, const onnx::Wiring& wiring, std::string value) {
  for (size_t steps = 0; steps < before.nodes.size(); ++steps) {
    const auto maker = wiring.maker(value);
    if (!maker) return nullptr;
    const Node& node = before.nodes[*maker];
    if (node.op == "BatchNormalization" && node.inputs.size() > 1) return before.constant(node.inputs[1]);
    if (node.op != "Add" && node.op != "Mul" && node.op != "Sub" && node.op != "Div") return nullptr;
    value = node.inputs[before.constant(node.inputs[0]) != nullptr ? 1 : 0];
  }
  return nullptr;
}

Status score_norms(const ChannelPruner& pruner, const Graph& before, ChannelScores& scores) {
  const onnx::Wiring wiring(before);
  ChannelSet scored;
  const auto add = [&](const std::string& value, const Tensor* scale) {
    const auto channels = pruner.map().channels(value);
    if (scale == nullptr || scale->type != onnx::ElementType::kFloat || scale->elements() != channels.size()) return;
    if (channels.empty()) return;
    add_relative(scores, channels, norms(*scale, 0, false));
    scored.insert(channels.begin(), channels.end());
  };
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const std::string& made = pruner.graph().nodes[layer.node].outputs[0];
    add(made, norm_scale(before, wiring, made));
  }
  // Those that could not be folded.
  for (const Node& node : pruner.graph().nodes) {
    if (node.op == "BatchNormalization") add(node.outputs[0], pruner.graph().constant(node.inputs[1]));
  }
  for (const ChannelGroup& group : pruner.groups()) {
    const bool missing = std::ranges::any_of(
        group.channels, [&](size_t one) { return !pruner.map().is_pinned(one) && !scored.contains(one); });
    if (!missing) continue;
    return fail(
        ErrorCode::kInvalidInput,
        "prune: {}: no BatchNormalization follows it (exporters often fold it away): take --criterion l1, l2 or "
        "activation",
        pruner.describe(group));
  }
  return {};
}

// Mean magnitude of each channel of the values, over all samples and places.
using Means = std::map<std::string, std::vector<double>, std::less<>>;

Status add_sample(SampleModel& model, size_t sample, Means& means) {
  for (auto& [name, sums] : means) {
    const auto values = model.session().output_floats(model.output(name));
    const size_t places = values.size() / sums.size();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        return fail(ErrorCode::kInvalidInput, "sample {}: activation '{}' holds {}", sample, name, values[i]);
      }
      sums[i / places] += std::abs(static_cast<double>(values[i])) / static_cast<double>(places);
    }
  }
  return {};
}

Result<Means> mean_magnitudes(const ChannelPruner& pruner, const ImportanceOptions& options) {
  Means means;
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const std::string& read = pruner.graph().nodes[layer.node].inputs[0];
    const auto channels = pruner.map().channels(read);
    if (!channels.empty()) means.emplace(read, std::vector<double>(channels.size(), 0.0));
  }
  std::vector<std::string> names;
  for (const auto& [name, sums] : means) names.push_back(name);
  const Bytes watched = MW_TRY(with_outputs(pruner.graph(), names).serialize());
  recording::Dataset& samples = *options.calibration;
  SampleModel model = MW_TRY_IN("calibration", SampleModel::create(watched, samples));
  for (size_t i = 0; i < samples.size(); ++i) {
    MW_CHECK_OK(model.run(samples, i));
    if (Status added = add_sample(model, i, means); !added) return with_context(added.error(), "calibration");
    if (options.progress) options.progress(i + 1, samples.size());
  }
  return means;
}

// What each channel that a layer reads adds to what the layer makes.
std::vector<double> contributions(const ChannelLayer& layer, const Tensor& weights, const std::vector<double>& means) {
  std::vector<double> out(means.size(), 0.0);
  const auto made = static_cast<size_t>(weights.dims[layer.output_axis]);
  const auto read = static_cast<size_t>(weights.dims[layer.input_axis]);
  size_t inner = 1;
  for (size_t i = 2; i < weights.dims.size(); ++i) inner *= static_cast<size_t>(weights.dims[i]);
  const auto values = weights.floats();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / inner / static_cast<size_t>(weights.dims[1]);
    const size_t column = i / inner % static_cast<size_t>(weights.dims[1]);
    const size_t output = layer.output_axis == 0 ? row : column;
    const size_t input = layer.output_axis == 0 ? column : row;
    const size_t channel = output / (made / layer.groups) * read + input;
    out[channel] += std::abs(static_cast<double>(values[i])) * means[channel];
  }
  return out;
}

Status score_activations(const ChannelPruner& pruner, const ImportanceOptions& options, ChannelScores& scores) {
  if (options.calibration == nullptr || options.calibration->size() == 0) {
    return fail(ErrorCode::kInvalidInput, "prune: --criterion activation looks at samples: give --calibration DATA");
  }
  const Means means = MW_TRY(mean_magnitudes(pruner, options));
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const Node& node = pruner.graph().nodes[layer.node];
    const auto found = means.find(node.inputs[0]);
    // A depthwise layer passes its channels on; who reads those has the say.
    if (found == means.end() || layer.is_depthwise) continue;
    add_relative(scores, pruner.map().channels(node.inputs[0]),
                 contributions(layer, *pruner.graph().constant(node.inputs[1]), found->second));
  }
  return {};
}

}  // namespace

std::optional<Criterion> criterion(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, Criterion>::first);
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

Result<ChannelScores> importance(const ChannelPruner& pruner, std::span<const std::byte> model,
                                 const ImportanceOptions& options) {
  ChannelScores scores;
  for (const std::string& value : pruner.map().values()) {
    for (const size_t channel : pruner.map().channels(value)) scores.emplace(channel, 0.0);
  }
  switch (options.criterion) {
    case Criterion::kL1:
    case Criterion::kL2: score_filters(pruner, options.criterion == Criterion::kL2, scores); break;
    case Criterion::kBatchNorm: {
      const Graph before = MW_TRY(Graph::parse(model));
      MW_CHECK_OK(score_norms(pruner, before, scores));
      break;
    }
    case Criterion::kActivation: MW_CHECK_OK(score_activations(pruner, options, scores)); break;
  }
  return scores;
}

}  // namespace millwright::lab
