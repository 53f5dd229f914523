// SPDX-License-Identifier: Apache-2.0
#include "lab/channels.h"

#include <algorithm>

#include "lab/channel_rules.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

bool is_float(const Tensor* tensor) { return tensor != nullptr && tensor->type == onnx::ElementType::kFloat; }

size_t rank_of(const Graph& graph, std::string_view value) {
  const onnx::ValueInfo* info = graph.value(value);
  return info == nullptr ? 0 : info->shape.size();
}

}  // namespace

ChannelMap::ChannelMap(const Graph& graph) : graph_(graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) visit(i);
  for (const onnx::ValueInfo& output : graph.outputs) pin(output.name, "they are the model's output");
}

void ChannelMap::visit(size_t index) {
  const Node& node = graph_.nodes[index];
  const std::string why = node.describe() + " needs them all";
  // Only a product with the channel makes 0 of it again.
  if (node.op != "Mul") {
    for (const std::string& input : node.inputs) {
      if (not_zero_.contains(input)) pin(input, why);
    }
  }
  if (node.domain.empty() && !node.inputs.empty() && node.captured.empty()) {
    if (follow_split(node)) return;
    std::optional<Channels> made;
    if (node.outputs.size() == 1) made = follow_layer(index);
    if (node.outputs.size() == 1 && !made) made = follow(index);
    if (made) {
      values_[node.outputs[0]] = *std::move(made);
      return;
    }
  }
  for (const std::string& input : node.inputs) pin(input, why);
  for (const std::string& name : node.captured) pin(name, why);
}

size_t ChannelMap::find(size_t channel) const {
  while (parents_[channel] != channel) {
    parents_[channel] = parents_[parents_[channel]];
    channel = parents_[channel];
  }
  return channel;
}

void ChannelMap::join(size_t a, size_t b) {
  a = find(a);
  b = find(b);
  if (a == b) return;
  if (b < a) std::swap(a, b);
  parents_[b] = a;
  if (pinned_[b] && !pinned_[a]) {
    pinned_[a] = true;
    reasons_[a] = reasons_[b];
  }
}

ChannelMap::Channels ChannelMap::make(size_t count) {
  Channels out(count);
  for (size_t& channel : out) {
    channel = parents_.size();
    parents_.push_back(channel);
  }
  pinned_.resize(parents_.size(), false);
  reasons_.resize(parents_.size());
  return out;
}

const ChannelMap::Channels* ChannelMap::known(std::string_view value) const {
  const auto found = values_.find(value);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<size_t> ChannelMap::channels(std::string_view value) const {
  Channels out;
  if (const Channels* found = known(value)) {
    for (const size_t channel : *found) out.push_back(find(channel));
  }
  return out;
}

std::vector<std::string> ChannelMap::values() const {
  std::vector<std::string> out;
  out.reserve(values_.size());
  for (const auto& [name, channels] : values_) out.push_back(name);
  return out;
}

void ChannelMap::pin_channel(size_t channel, const std::string& why) {
  const size_t root = find(channel);
  if (!pinned_[root]) reasons_[root] = why;
  pinned_[root] = true;
}

void ChannelMap::pin(std::string_view value, const std::string& why) {
  const Channels* found = known(value);
  if (found == nullptr) return;
  for (const size_t channel : *found) pin_channel(channel, why);
}

std::optional<ChannelMap::Channels> ChannelMap::follow_layer(size_t index) {
  const Node& node = graph_.nodes[index];
  const bool is_conv = node.op == "Conv";
  if ((!is_conv && node.op != "Gemm" && node.op != "MatMul") || node.inputs.size() < 2) return std::nullopt;
  const Tensor* weights = graph_.constant(node.inputs[1]);
  if (!is_float(weights) || weights->dims.size() < 2) return std::nullopt;
  if (!is_conv && (weights->dims.size() != 2 || node.int_or("transA", 0) != 0)) return std::nullopt;
  // A product over more than rows has its channels elsewhere.
  if (!is_conv && rank_of(graph_, node.inputs[0]) != 2) return std::nullopt;

  ChannelLayer layer{.node = index};
  const bool outputs_first = is_conv || node.int_or("transB", 0) != 0;
  layer.output_axis = outputs_first ? 0 : 1;
  layer.input_axis = outputs_first ? 1 : 0;
  const auto made = static_cast<size_t>(weights->dims[layer.output_axis]);
  if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
    // One bias for all channels is not 0 where a channel is.
    const Tensor* bias = graph_.constant(node.inputs[2]);
    if (!is_float(bias) || bias->dims.empty() || static_cast<size_t>(bias->dims.back()) != made) return std::nullopt;
  }
  const Channels* read = known(node.inputs[0]);
  layer.groups = is_conv ? static_cast<size_t>(std::max<int64_t>(1, node.int_or("group", 1))) : 1;
  if (layer.groups > 1) return follow_grouped(layer, read, made);
  if (read != nullptr && static_cast<int64_t>(read->size()) != weights->dims[layer.input_axis]) return std::nullopt;
  layers_.push_back(layer);
  return make(made);
}

// Groups stay of equal size where each loses the same places.
std::optional<ChannelMap::Channels> ChannelMap::follow_grouped(ChannelLayer layer, const Channels* read, size_t made) {
  const Tensor& weights = *graph_.constant(graph_.nodes[layer.node].inputs[1]);
  const auto each = static_cast<size_t>(weights.dims[1]);
  if (made % layer.groups != 0 || (read != nullptr && read->size() != each * layer.groups)) return std::nullopt;
  const size_t makes = made / layer.groups;
  layer.is_depthwise = each == 1;
  if (layer.is_depthwise) {
    if (read == nullptr) return std::nullopt;
    Channels out;
    for (const size_t channel : *read) out.insert(out.end(), makes, channel);
    layers_.push_back(layer);
    return out;
  }
  const Channels out = make(made);
  for (size_t group = 1; group < layer.groups; ++group) {
    for (size_t i = 0; i < makes; ++i) join(out[i], out[group * makes + i]);
    for (size_t i = 0; read != nullptr && i < each; ++i) join((*read)[i], (*read)[group * each + i]);
  }
  layers_.push_back(layer);
  return out;
}

std::optional<ChannelMap::Channels> ChannelMap::follow(size_t index) {
  const Node& node = graph_.nodes[index];
  const bool not_zero = keeps_channels_not_zero(node);
  if (not_zero || keeps_channels(graph_, node)) {
    const Channels* read = known(node.inputs[0]);
    if (read == nullptr) return std::nullopt;
    if (not_zero) not_zero_.insert(node.outputs[0]);
    return *read;
  }
  if (node.op == "Add" || node.op == "Sub" || node.op == "Mul") return follow_pair(index);
  if (node.op == "BatchNormalization" && node.inputs.size() == 5) return follow_with_constants(index, 1);
  if (node.op == "PRelu" && node.inputs.size() == 2) return follow_with_constants(index, 1);
  if (node.op == "Flatten" || node.op == "Reshape") return follow_flat(node);
  return node.op == "Concat" && node.int_or("axis", 0) == 1 ? follow_concat(node) : std::nullopt;
}

// Channel i of one meets channel i of the other, or a constant.
std::optional<ChannelMap::Channels> ChannelMap::follow_pair(size_t index) {
  const Node& node = graph_.nodes[index];
  if (graph_.constant(node.inputs[1]) != nullptr) return follow_with_constants(index, 1);
  if (graph_.constant(node.inputs[0]) != nullptr && node.op != "Sub") return follow_with_constants(index, 0);
  const Channels* a = known(node.inputs[0]);
  const Channels* b = known(node.inputs[1]);
  if (a == nullptr || b == nullptr || a->size() != b->size()) return std::nullopt;
  const size_t rank = rank_of(graph_, node.inputs[0]);
  if (rank == 0 || rank != rank_of(graph_, node.inputs[1])) return std::nullopt;
  const Channels result = *a;
  for (size_t i = 0; i < result.size(); ++i) join(result[i], (*b)[i]);
  if (not_zero_.contains(node.inputs[0]) && not_zero_.contains(node.inputs[1])) not_zero_.insert(node.outputs[0]);
  return result;
}

// The inputs from `first` on are constants; of a pair only that one.
std::optional<ChannelMap::Channels> ChannelMap::follow_with_constants(size_t index, size_t first) {
  const Node& node = graph_.nodes[index];
  const bool is_norm = node.op == "BatchNormalization";
  const std::string& value = node.inputs[first == 0 ? 1 : 0];
  const Channels* read = known(value);
  const size_t rank = rank_of(graph_, value);
  if (read == nullptr || rank < 2) return std::nullopt;
  std::vector<ChannelConstant> found;
  for (size_t i = first; i < (is_norm ? size_t{5} : first + 1); ++i) {
    const Tensor* constant = graph_.constant(node.inputs[i]);
    if (!is_float(constant) || (!is_norm && constant->dims.size() > rank)) return std::nullopt;
    const auto axis = is_norm ? std::optional<size_t>(0) : channel_axis(*constant, rank);
    const bool shifts = node.op == "Add" || node.op == "Sub";
    if (!axis && shifts) return std::nullopt;
    if (!axis) continue;
    if (static_cast<size_t>(constant->dims[*axis]) != read->size()) return std::nullopt;
    found.push_back({.node = index, .input = i, .axis = *axis, .zero_when_masked = shifts || (is_norm && i < 3)});
  }
  constants_.insert(constants_.end(), found.begin(), found.end());
  if (node.op == "Mul" && not_zero_.contains(value)) not_zero_.insert(node.outputs[0]);
  return *read;
}

// Each channel becomes as many columns as it has places.
std::optional<ChannelMap::Channels> ChannelMap::follow_flat(const Node& node) {
  const Channels* read = known(node.inputs[0]);
  const auto columns = channel_count(graph_, node.outputs[0]);
  const onnx::ValueInfo* from = graph_.value(node.inputs[0]);
  if (read == nullptr || !columns || from == nullptr || rank_of(graph_, node.outputs[0]) != 2) return std::nullopt;
  if (node.op == "Flatten" && node.int_or("axis", 1) != 1) return std::nullopt;
  size_t places = 1;
  for (size_t i = 2; i < from->shape.size(); ++i) {
    if (from->shape[i].size < 1) return std::nullopt;
    places *= static_cast<size_t>(from->shape[i].size);
  }
  // Otherwise it is no batch of flat samples.
  if (places * read->size() != *columns) return std::nullopt;
  Channels out;
  for (const size_t channel : *read) out.insert(out.end(), places, channel);
  return out;
}

std::optional<ChannelMap::Channels> ChannelMap::follow_concat(const Node& node) {
  Channels all;
  for (const std::string& input : node.inputs) {
    const Channels* read = known(input);
    const auto count = channel_count(graph_, input);
    if (read == nullptr && !count) return std::nullopt;
    // What comes from outside keeps its place among those that are followed.
    const Channels part = read != nullptr ? *read : make(*count);
    if (read == nullptr) {
      for (const size_t channel : part) pin_channel(channel, fmt::format("'{}' is not made by a layer", input));
    }
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

bool ChannelMap::follow_split(const Node& node) {
  if (node.op != "Split" || node.int_or("axis", 0) != 1) return false;
  const Channels* read = known(node.inputs[0]);
  if (read == nullptr) return false;
  const Channels all = *read;
  std::vector<size_t> counts;
  size_t sum = 0;
  for (const std::string& output : node.outputs) {
    const auto count = channel_count(graph_, output);
    if (output.empty() || !count) return false;
    counts.push_back(*count);
    sum += *count;
  }
  if (sum != all.size()) return false;
  auto at = all.begin();
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto end = at + static_cast<std::ptrdiff_t>(counts[i]);
    values_[node.outputs[i]] = Channels(at, end);
    at = end;
  }
  return true;
}

}  // namespace millwright::lab
