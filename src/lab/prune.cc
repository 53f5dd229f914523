// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "inference/optimised.h"
#include "lab/channels.h"
#include "onnx/raise_opset.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

// The elements of a tensor whose index along `axis` is kept.
Tensor sliced(const Tensor& tensor, size_t axis, const std::vector<bool>& keep) {
  Tensor out{.type = tensor.type, .dims = tensor.dims, .data = {}, .other = {}};
  out.dims[axis] = std::count(keep.begin(), keep.end(), true);
  size_t inner = tensor.data.size() / std::max<size_t>(tensor.elements(), 1);
  for (size_t i = axis + 1; i < tensor.dims.size(); ++i) inner *= static_cast<size_t>(tensor.dims[i]);
  for (size_t at = 0, index = 0; at < tensor.data.size(); at += inner, ++index) {
    if (!keep[index % keep.size()]) continue;
    const auto from = tensor.data.begin() + static_cast<std::ptrdiff_t>(at);
    out.data.insert(out.data.end(), from, from + static_cast<std::ptrdiff_t>(inner));
  }
  return out;
}

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

class ChannelPruner {
 public:
  ChannelPruner(Graph& graph, double ratio) : graph_(graph), map_(graph), ratio_(ratio) {}

  std::vector<PrunedLayer> choose() {
    score();
    for (const auto& [first, members] : sets()) remove_least(members);
    std::vector<PrunedLayer> out;
    for (const ChannelLayer& layer : map_.layers()) {
      const auto keep = kept(graph_.nodes[layer.node].outputs[0]);
      PrunedLayer one{.node = graph_.nodes[layer.node].describe(), .channels = keep.size()};
      one.channels_left = static_cast<size_t>(std::count(keep.begin(), keep.end(), true));
      const auto channels = map_.channels(graph_.nodes[layer.node].outputs[0]);
      if (one.channels_left == one.channels && !channels.empty()) one.kept_why = map_.why(channels.front());
      out.push_back(std::move(one));
    }
    return out;
  }

  // The same answer, with the channels still there.
  void mask() {
    for (const ChannelLayer& layer : map_.layers()) {
      Node& node = graph_.nodes[layer.node];
      const auto keep = kept(node.outputs[0]);
      own(node, 1);
      zero(graph_.constants.find(node.inputs[1])->second, layer.output_axis, keep);
      if (Tensor* bias = own_bias(node)) zero(*bias, bias->dims.size() - 1, keep);
    }
  }

  void cut() {
    for (const ChannelLayer& layer : map_.layers()) {
      Node& node = graph_.nodes[layer.node];
      const auto made = kept(node.outputs[0]);
      own(node, 1);
      Tensor& weights = graph_.constants.find(node.inputs[1])->second;
      weights = sliced(weights, layer.output_axis, made);
      const auto read = kept(node.inputs[0]);
      if (!layer.is_depthwise && !read.empty()) weights = sliced(weights, layer.input_axis, read);
      if (layer.is_depthwise) set_int(node, "group", weights.dims[0]);
      if (Tensor* bias = own_bias(node)) *bias = sliced(*bias, bias->dims.size() - 1, made);
    }
    for (Node& node : graph_.nodes) {
      if (node.op != "Reshape" || map_.channels(node.outputs[0]).empty()) continue;
      const std::vector<int64_t> flat = {0, -1};  // the batch as it comes, one row for each
      node.inputs[1] = graph_.fresh_name(node.inputs[1] + "_pruned");
      graph_.constants[node.inputs[1]] = onnx::tensor(std::span<const int64_t>(flat), {2});
      node.remove("allowzero");
    }
    graph_.values.clear();
  }

 private:
  static void set_int(Node& node, const std::string& name, int64_t value) {
    onnx::Attribute attribute;
    attribute.name = name;
    attribute.i = value;
    node.set(attribute);
  }

  // Whether each channel of the value stays; empty where they are not followed.
  [[nodiscard]] std::vector<bool> kept(const std::string& value) const {
    std::vector<bool> out;
    for (const size_t channel : map_.channels(value)) out.push_back(!removed_.contains(channel));
    return out;
  }

  // A constant that several nodes read is copied for this one.
  void own(Node& node, size_t input) {
    const std::string name = node.inputs[input];
    size_t readers = 0;
    for (const Node& other : graph_.nodes) readers += static_cast<size_t>(std::ranges::count(other.inputs, name));
    if (readers <= 1) return;
    node.inputs[input] = graph_.fresh_name(name + "_own");
    graph_.constants[node.inputs[input]] = graph_.constants.find(name)->second;
  }

  Tensor* own_bias(Node& node) {
    if (node.inputs.size() < 3) return nullptr;
    const Tensor* constant = graph_.constant(node.inputs[2]);
    if (constant == nullptr || constant->dims.empty()) return nullptr;
    own(node, 2);
    Tensor& bias = graph_.constants.find(node.inputs[2])->second;
    return bias.elements() > 1 || kept(node.outputs[0]).size() == 1 ? &bias : nullptr;
  }

  static void zero(Tensor& tensor, size_t axis, const std::vector<bool>& keep) {
    size_t inner = 1;
    for (size_t i = axis + 1; i < tensor.dims.size(); ++i) inner *= static_cast<size_t>(tensor.dims[i]);
    const auto values = tensor.floats();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!keep[i / inner % keep.size()]) values[i] = 0.0F;
    }
  }

  // Relative to the layer's mean, so that layers of different scale that share channels have an equal say.
  void score() {
    for (const ChannelLayer& layer : map_.layers()) {
      const Node& node = graph_.nodes[layer.node];
      const auto sums = magnitudes(*graph_.constant(node.inputs[1]), layer.output_axis);
      const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(sums.size());
      const auto channels = map_.channels(node.outputs[0]);
      for (size_t i = 0; i < sums.size(); ++i) scores_[channels[i]] += mean > 0.0 ? sums[i] / mean : 0.0;
    }
  }

  // Channels of layers that share some of theirs, by the first layer's place.
  [[nodiscard]] std::map<size_t, std::set<size_t>> sets() const {
    std::map<size_t, size_t> set_of;  // channel -> set
    std::map<size_t, std::set<size_t>> out;
    for (size_t i = 0; i < map_.layers().size(); ++i) {
      std::set<size_t> mine;
      std::set<size_t> met;
      for (const size_t channel : map_.channels(graph_.nodes[map_.layers()[i].node].outputs[0])) {
        mine.insert(channel);
        if (const auto found = set_of.find(channel); found != set_of.end()) met.insert(found->second);
      }
      for (const size_t other : met) {
        mine.merge(out[other]);
        out.erase(other);
      }
      for (const size_t channel : mine) set_of[channel] = i;
      out[i] = std::move(mine);
    }
    return out;
  }

  void remove_least(const std::set<size_t>& members) {
    std::vector<size_t> order;
    for (const size_t channel : members) {
      if (!map_.is_pinned(channel)) order.push_back(channel);
    }
    std::ranges::sort(order, [&](size_t a, size_t b) {
      const double first = scores_.at(a);
      const double second = scores_.at(b);
      return first != second ? first < second : a < b;
    });
    const auto wanted = static_cast<size_t>(std::floor(ratio_ * static_cast<double>(members.size())));
    const size_t most = members.size() == order.size() ? order.size() - 1 : order.size();
    order.resize(std::min(wanted, most));
    removed_.insert(order.begin(), order.end());
  }

  Graph& graph_;
  const ChannelMap map_;
  double ratio_;
  std::map<size_t, double> scores_;
  std::set<size_t> removed_;
};

Result<Pruned> prune_channels(Graph& graph, double ratio) {
  Pruned out{.parameters_before = parameters(graph, false)};
  ChannelPruner pruner(graph, ratio);
  out.layers = pruner.choose();
  if (std::ranges::all_of(out.layers, [](const auto& layer) { return layer.channels_left == layer.channels; })) {
    return fail(ErrorCode::kInvalidInput, "prune: no channel can be taken out: {}",
                out.layers.empty() ? "it has no Conv, Gemm or MatMul with constant weights"
                                   : out.layers.front().node + ": " + out.layers.front().kept_why);
  }
  pruner.mask();
  out.masked = MW_TRY(graph.serialize());
  pruner.cut();
  out.parameters_after = parameters(graph, false);
  out.model = MW_TRY(graph.serialize());
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
  MW_CHECK_OK(onnx::raise_opset(raw));
  const Bytes raised = MW_TRY(raw.serialize());
  Graph graph = MW_TRY(inference::prepared_graph(raised));
  return options.is_structured ? prune_channels(graph, options.ratio) : prune_weights(graph, options.ratio);
}

}  // namespace millwright::lab
