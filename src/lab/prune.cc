// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <algorithm>
#include <cmath>

#include "inference/optimised.h"
#include "lab/channel_pruner.h"
#include "lab/prune_start.h"
#include "lab/quantised_already.h"
#include "lab/raised.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

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

Result<Pruned> prune_channels(const Graph& graph, std::span<const std::byte> model, const PruneOptions& options) {
  const ChannelPruner pruner(graph);
  const ChannelScores scores = MW_TRY(importance(pruner, model, options.importance));
  ChannelSet removed;
  for (const ChannelGroup& group : pruner.groups()) {
    const auto own = options.ratios.find(pruner.describe(group));
    removed.merge(pruner.least(group, scores, own == options.ratios.end() ? options.ratio : own->second));
  }
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

Result<Graph> prune_start(std::span<const std::byte> model) {
  Graph raw = MW_TRY(Graph::parse(model));
  if (const Node* quantised = quantised_node(raw)) {
    return fail(ErrorCode::kInvalidInput,
                "prune: {}: the model is quantised already; prune the one in float first, then quantise",
                quantised->describe());
  }
  return raised_and_prepared(std::move(raw));
}

Result<Pruned> prune(std::span<const std::byte> model, const PruneOptions& options) {
  if (!(options.ratio > 0.0 && options.ratio < 1.0) && options.ratios.empty()) {
    return fail(ErrorCode::kInvalidInput, "prune: a ratio of {}; above 0 and below 1", options.ratio);
  }
  Graph graph = MW_TRY(prune_start(model));
  return options.is_structured ? prune_channels(graph, model, options) : prune_weights(graph, options.ratio);
}

}  // namespace millwright::lab
