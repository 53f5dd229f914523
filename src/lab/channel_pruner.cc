// SPDX-License-Identifier: Apache-2.0
#include "lab/channel_pruner.h"

#include <algorithm>
#include <cmath>

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

size_t inner_elements(const Tensor& tensor, size_t axis) {
  size_t inner = 1;
  for (size_t i = axis + 1; i < tensor.dims.size(); ++i) inner *= static_cast<size_t>(tensor.dims[i]);
  return inner;
}

// The elements of a tensor whose index along `axis` is kept.
Tensor sliced(const Tensor& tensor, size_t axis, const std::vector<bool>& keep) {
  Tensor out{.type = tensor.type, .dims = tensor.dims, .data = {}, .other = {}};
  out.dims[axis] = std::count(keep.begin(), keep.end(), true);
  const size_t inner = inner_elements(tensor, axis) * (tensor.data.size() / std::max<size_t>(tensor.elements(), 1));
  for (size_t at = 0, index = 0; at < tensor.data.size(); at += inner, ++index) {
    if (!keep[index % keep.size()]) continue;
    const auto from = tensor.data.begin() + static_cast<std::ptrdiff_t>(at);
    out.data.insert(out.data.end(), from, from + static_cast<std::ptrdiff_t>(inner));
  }
  return out;
}

void zero(Tensor& tensor, size_t axis, const std::vector<bool>& keep) {
  const size_t inner = inner_elements(tensor, axis);
  const auto values = tensor.floats();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!keep[i / inner % keep.size()]) values[i] = 0.0F;
  }
}

// A constant of this node alone: one that several read is copied for it.
Tensor& own(Graph& graph, Node& node, size_t input) {
  const std::string name = node.inputs[input];
  size_t readers = 0;
  for (const Node& other : graph.nodes) {
    readers += static_cast<size_t>(std::ranges::count(other.inputs, name)) + other.captured.count(name);
  }
  if (readers > 1) {
    node.inputs[input] = graph.fresh_name(name + "_own");
    graph.constants[node.inputs[input]] = graph.constants.find(name)->second;
  }
  return graph.constants.find(node.inputs[input])->second;
}

void set_ints(Graph& graph, Node& node, size_t input, const std::vector<int64_t>& values) {
  node.inputs.resize(std::max(node.inputs.size(), input + 1));
  node.inputs[input] = graph.fresh_name(node.outputs[0] + "_sizes");
  graph.constants[node.inputs[input]] =
      onnx::tensor(std::span<const int64_t>(values), {static_cast<int64_t>(values.size())});
}

bool has_bias(const Node& node) { return node.inputs.size() > 2 && !node.inputs[2].empty(); }

}  // namespace

ChannelPruner::ChannelPruner(const Graph& graph) : graph_(graph), map_(graph) {
  std::map<size_t, size_t> group_of;  // channel -> the first layer of its group
  std::map<size_t, ChannelGroup> found;
  for (size_t i = 0; i < map_.layers().size(); ++i) {
    ChannelGroup mine{.layers = {i}, .channels = {}};
    std::set<size_t> met;
    for (const size_t channel : map_.channels(graph.nodes[map_.layers()[i].node].outputs[0])) {
      mine.channels.insert(channel);
      if (const auto other = group_of.find(channel); other != group_of.end()) met.insert(other->second);
    }
    for (const size_t other : met) {
      mine.channels.merge(found[other].channels);
      mine.layers.insert(mine.layers.end(), found[other].layers.begin(), found[other].layers.end());
      found.erase(other);
    }
    std::ranges::sort(mine.layers);
    const size_t first = mine.layers.front();
    for (const size_t channel : mine.channels) group_of[channel] = first;
    found[first] = std::move(mine);
  }
  for (auto& [first, group] : found) groups_.push_back(std::move(group));
}

std::string ChannelPruner::describe(const ChannelGroup& group) const {
  return graph_.nodes[map_.layers()[group.layers.front()].node].describe();
}

std::vector<bool> ChannelPruner::kept(const std::string& value, const ChannelSet& removed) const {
  std::vector<bool> out;
  for (const size_t channel : map_.channels(value)) out.push_back(!removed.contains(channel));
  return out;
}

ChannelSet ChannelPruner::least(const ChannelGroup& group, const ChannelScores& scores, double ratio) const {
  std::vector<size_t> order;
  for (const size_t channel : group.channels) {
    if (!map_.is_pinned(channel)) order.push_back(channel);
  }
  std::ranges::sort(order, [&](size_t a, size_t b) {
    const double first = scores.at(a);
    const double second = scores.at(b);
    return first != second ? first < second : a < b;
  });
  const auto wanted = static_cast<size_t>(std::floor(ratio * static_cast<double>(group.channels.size())));
  order.resize(std::min(wanted, order.size()));
  return {order.begin(), order.end()};
}

void ChannelPruner::leave_one(ChannelSet& removed, const ChannelScores& scores) const {
  for (const std::string& value : map_.values()) {
    const auto channels = map_.channels(value);
    if (channels.empty() || !std::ranges::all_of(channels, [&](size_t one) { return removed.contains(one); })) continue;
    removed.erase(*std::ranges::max_element(channels, {}, [&](size_t one) { return scores.at(one); }));
  }
}

Graph ChannelPruner::masked(const ChannelSet& removed) const {
  Graph graph = graph_.copy();
  for (const ChannelLayer& layer : map_.layers()) {
    Node& node = graph.nodes[layer.node];
    const auto keep = kept(node.outputs[0], removed);
    zero(own(graph, node, 1), layer.output_axis, keep);
    if (!has_bias(node)) continue;
    Tensor& bias = own(graph, node, 2);
    zero(bias, bias.dims.size() - 1, keep);
  }
  for (const ChannelConstant& constant : map_.constants()) {
    if (!constant.zero_when_masked) continue;
    Node& node = graph.nodes[constant.node];
    zero(own(graph, node, constant.input), constant.axis, kept(node.outputs[0], removed));
  }
  return graph;
}

void ChannelPruner::cut_layer(Graph& graph, const ChannelLayer& layer, const ChannelSet& removed) const {
  Node& node = graph.nodes[layer.node];
  const auto made = kept(node.outputs[0], removed);
  auto read = kept(node.inputs[0], removed);
  Tensor& weights = own(graph, node, 1);
  weights = sliced(weights, layer.output_axis, made);
  if (layer.is_depthwise) {
    onnx::Attribute group;
    group.name = "group";
    group.i = std::count(read.begin(), read.end(), true);
    node.set(group);
  } else if (!read.empty()) {
    read.resize(read.size() / layer.groups);  // the same places in each group
    weights = sliced(weights, layer.input_axis, read);
  }
  if (!has_bias(node)) return;
  Tensor& bias = own(graph, node, 2);
  bias = sliced(bias, bias.dims.size() - 1, made);
}

// Operators that are told sizes.
void ChannelPruner::cut_shapes(Graph& graph, const ChannelSet& removed) const {
  for (Node& node : graph.nodes) {
    if (map_.channels(node.outputs[0]).empty()) continue;
    if (node.op == "Reshape") {
      set_ints(graph, node, 1, {0, -1});  // the batch as it comes, one row for each
      node.remove("allowzero");
    } else if (node.op == "Split") {
      std::vector<int64_t> parts;
      for (const std::string& output : node.outputs) {
        const auto keep = kept(output, removed);
        parts.push_back(std::count(keep.begin(), keep.end(), true));
      }
      set_ints(graph, node, 1, parts);
      node.remove("num_outputs");
    }
  }
}

Graph ChannelPruner::cut(const ChannelSet& removed) const {
  Graph graph = graph_.copy();
  for (const ChannelLayer& layer : map_.layers()) cut_layer(graph, layer, removed);
  for (const ChannelConstant& constant : map_.constants()) {
    Node& node = graph.nodes[constant.node];
    Tensor& tensor = own(graph, node, constant.input);
    tensor = sliced(tensor, constant.axis, kept(node.outputs[0], removed));
  }
  cut_shapes(graph, removed);
  onnx::remove_unused(graph);
  graph.values.clear();
  return graph;
}

}  // namespace millwright::lab
