// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "inference/optimised.h"
#include "lab/channel_pruner.h"
#include "lab/quantised_already.h"
#include "lab/raised.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

// Sum of magnitudes along all axes but one.
std::vector<double> magnitudes(const Tensor& tensor, size_t axis) {
  std::vector<double> sums(static_cast<size_t>(tensor.dims[axis]), 0.0);
  size_t inner = 1;
  for (size_t i = axis + 1; i < tensor.dims.size(); ++i) inner *= static_cast<size_t>(tensor.dims[i]);
  const auto values = tensor.floats();
  for (size_t i = 0; i < values.size(); ++i) sums[i / inner % sums.size()] += std::abs(values[i]);
  return sums;
}

size_t parameters(const Graph& graph, bool only_nonzero) {
  size_t count = 0;
  for (const auto& [name, tensor] : graph.constants) {
    if (tensor.type != onnx::ElementType::kFloat) continue;
    count += only_nonzero
                 ? static_cast<size_t>(std::ranges::count_if(tensor.floats(), [](float v) { return v != 0.0F; }))
                 : tensor.elements();
  }
  return count;
}

double sparsity(const Tensor& tensor) {
  const auto zeros = std::ranges::count(tensor.floats(), 0.0F);
  return static_cast<double>(zeros) / static_cast<double>(std::max<size_t>(tensor.elements(), 1));
}

// Relative to the layer's mean, so that layers of different scale that share channels have an equal say.
ChannelScores scores_of(const ChannelPruner& pruner) {
  ChannelScores scores;
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const Node& node = pruner.graph().nodes[layer.node];
    const auto sums = magnitudes(*pruner.graph().constant(node.inputs[1]), layer.output_axis);
    const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(sums.size());
    const auto channels = pruner.map().channels(node.outputs[0]);
    for (size_t i = 0; i < sums.size(); ++i) scores[channels[i]] += mean > 0.0 ? sums[i] / mean : 0.0;
  }
  return scores;
}

std::vector<PrunedLayer> layers_of(const ChannelPruner& pruner, const ChannelSet& removed) {
  std::vector<PrunedLayer> out;
  for (const ChannelLayer& layer : pruner.map().layers()) {
    const Node& node = pruner.graph().nodes[layer.node];
    const auto keep = pruner.kept(node.outputs[0], removed);
    PrunedLayer one{.node = node.describe(), .channels = keep.size()};
    one.channels_left = static_cast<size_t>(std::count(keep.begin(), keep.end(), true));
    const auto channels = pruner.map().channels(node.outputs[0]);
    if (one.channels_left == one.channels && !channels.empty()) one.kept_why = pruner.map().why(channels.front());
    out.push_back(std::move(one));
  }
  return out;
}

// Why nothing at all can go, by the first layer.
Error nothing_to_take(const Graph& graph, const std::vector<PrunedLayer>& layers) {
  std::string why = "it has no Conv, Gemm or MatMul with constant weights that could be followed";
  if (!layers.empty()) {
    why = layers.front().node + ": ";
    why += layers.front().kept_why.empty() ? "too few channels for this ratio" : layers.front().kept_why;
  } else if (!graph.nodes.empty()) {
    why += fmt::format("; it begins with {}", graph.nodes.front().describe());
  }
  return {ErrorCode::kInvalidInput, "prune: no channel can be taken out: " + why};
}

Result<Pruned> prune_channels(const Graph& graph, double ratio) {
  const ChannelPruner pruner(graph);
  const ChannelScores scores = scores_of(pruner);
  ChannelSet removed;
  for (const ChannelGroup& group : pruner.groups()) removed.merge(pruner.least(group, scores, ratio));
  pruner.leave_one(removed, scores);
  Pruned out{.parameters_before = parameters(graph, false)};
  out.layers = layers_of(pruner, removed);
  if (removed.empty()) return std::unexpected(nothing_to_take(graph, out.layers));
  out.masked = MW_TRY(pruner.masked(removed).serialize());
  const Graph cut = pruner.cut(removed);
  out.parameters_after = parameters(cut, false);
  out.model = MW_TRY(cut.serialize());
  // A wrong cut shows here, and not at the customer's.
  (void)MW_TRY_IN("pruned", inference::prepared_graph(out.model));
  return out;
}

// The smallest weights of all layers together.
Result<Pruned> prune_weights(Graph& graph, double ratio) {
  Pruned out{.parameters_before = parameters(graph, true)};
  std::vector<std::pair<std::string, std::string>> layers;  // node, weights
  std::vector<float> sizes;
  const ChannelMap map(graph);
  for (const ChannelLayer& layer : map.layers()) {
    const Node& node = graph.nodes[layer.node];
    layers.emplace_back(node.describe(), node.inputs[1]);
    for (const float value : graph.constant(node.inputs[1])->floats()) sizes.push_back(std::abs(value));
  }
  if (sizes.empty())
    return fail(ErrorCode::kInvalidInput, "prune: it has no Conv, Gemm or MatMul with constant weights");
  const auto rank = static_cast<std::ptrdiff_t>(ratio * static_cast<double>(sizes.size()));
  std::nth_element(sizes.begin(), sizes.begin() + rank, sizes.end());
  const float least = sizes[static_cast<size_t>(rank)];
  for (const auto& [node, weights] : layers) {
    Tensor& tensor = graph.constants.find(weights)->second;
    for (float& value : tensor.floats()) {
      if (std::abs(value) < least) value = 0.0F;
    }
    out.layers.push_back({.node = node, .sparsity = sparsity(tensor)});
  }
  out.parameters_after = parameters(graph, true);
  out.model = MW_TRY(graph.serialize());
  out.masked = out.model;
  return out;
}

}  // namespace

Result<Pruned> prune(std::span<const std::byte> model, const PruneOptions& options) {
  if (!(options.ratio > 0.0 && options.ratio < 1.0)) {
    return fail(ErrorCode::kInvalidInput, "prune: a ratio of {}; above 0 and below 1", options.ratio);
  }
  Graph raw = MW_TRY(Graph::parse(model));
  if (const Node* quantised = quantised_node(raw)) {
    return fail(ErrorCode::kInvalidInput,
                "prune: {}: the model is quantised already; prune the one in float first, then quantise",
                quantised->describe());
  }
  Graph graph = MW_TRY(raised_and_prepared(std::move(raw)));
  return options.is_structured ? prune_channels(graph, options.ratio) : prune_weights(graph, options.ratio);
}

}  // namespace millwright::lab
