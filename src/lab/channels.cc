// SPDX-License-Identifier: Apache-2.0
#include "lab/channels.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;
using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

// One input, channels stay apart and in order, and what is 0 stays 0.
constexpr std::array kKeeping = {"Abs"sv,           "AveragePool"sv, "Dropout"sv,  "GlobalAveragePool"sv,
                                 "GlobalMaxPool"sv, "HardSwish"sv,   "Identity"sv, "LeakyRelu"sv,
                                 "MaxPool"sv,       "Neg"sv,         "Relu"sv,     "Tanh"sv};

// The second axis, fixed; a value of less than two axes has none.
std::optional<size_t> channel_count(const Graph& graph, std::string_view value) {
  const onnx::ValueInfo* info = graph.value(value);
  if (info == nullptr || info->shape.size() < 2 || info->shape[1].size < 1) return std::nullopt;
  return static_cast<size_t>(info->shape[1].size);
}

bool clips_around_zero(const Graph& graph, const Node& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i].empty()) continue;
    const Tensor* bound = graph.constant(node.inputs[i]);
    if (bound == nullptr || bound->type != onnx::ElementType::kFloat || bound->elements() != 1) return false;
    if (i == 1 ? bound->floats()[0] > 0.0F : bound->floats()[0] < 0.0F) return false;
  }
  return true;
}

}  // namespace

ChannelMap::ChannelMap(const Graph& graph) : graph_(graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::optional<Channels> made = follow_layer(node, i);
    if (!made) made = follow(node);
    if (made) {
      values_[node.outputs[0]] = *std::move(made);
      continue;
    }
    for (const std::string& input : node.inputs) pin(input, node.describe() + " needs them all");
    for (const std::string& name : node.captured) pin(name, node.describe() + " needs them all");
  }
  for (const onnx::ValueInfo& output : graph.outputs) pin(output.name, "they are the model's output");
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

void ChannelMap::pin(std::string_view value, const std::string& why) {
  const Channels* found = known(value);
  if (found == nullptr) return;
  for (const size_t channel : *found) {
    const size_t root = find(channel);
    if (!pinned_[root]) reasons_[root] = why;
    pinned_[root] = true;
  }
}

std::optional<ChannelMap::Channels> ChannelMap::follow_layer(const Node& node, size_t index) {
  const bool is_conv = node.op == "Conv";
  if (!node.domain.empty() || (!is_conv && node.op != "Gemm" && node.op != "MatMul") || node.inputs.size() < 2) {
    return std::nullopt;
  }
  const Tensor* weights = graph_.constant(node.inputs[1]);
  if (weights == nullptr || weights->type != onnx::ElementType::kFloat || weights->dims.size() < 2) return std::nullopt;
  if (!is_conv && (weights->dims.size() != 2 || node.int_or("transA", 0) != 0)) return std::nullopt;
  // A product over more than rows has its channels elsewhere.
  const onnx::ValueInfo* input = graph_.value(node.inputs[0]);
  if (!is_conv && (input == nullptr || input->shape.size() != 2)) return std::nullopt;

  ChannelLayer layer{.node = index};
  const bool outputs_first = is_conv || node.int_or("transB", 0) != 0;
  layer.output_axis = outputs_first ? 0 : 1;
  layer.input_axis = outputs_first ? 1 : 0;
  const auto made = static_cast<size_t>(weights->dims[layer.output_axis]);
  if (node.inputs.size() > 2 && !node.inputs[2].empty() && graph_.constant(node.inputs[2]) == nullptr) {
    return std::nullopt;
  }
  const Channels* read = known(node.inputs[0]);
  const int64_t groups = is_conv ? node.int_or("group", 1) : 1;
  if (groups > 1) {
    layer.is_depthwise = groups == weights->dims[0] && weights->dims[1] == 1;
    if (!layer.is_depthwise || read == nullptr || read->size() != made) return std::nullopt;
    layers_.push_back(layer);
    return *read;
  }
  if (read != nullptr && static_cast<int64_t>(read->size()) != weights->dims[layer.input_axis]) return std::nullopt;
  layers_.push_back(layer);
  return make(made);
}

std::optional<ChannelMap::Channels> ChannelMap::follow(const Node& node) {
  if (!node.domain.empty() || node.inputs.empty() || node.outputs.size() != 1) return std::nullopt;
  const bool keeps = std::ranges::find(kKeeping, node.op) != kKeeping.end();
  if (keeps || (node.op == "Clip" && clips_around_zero(graph_, node))) {
    const Channels* read = known(node.inputs[0]);
    return read == nullptr ? std::nullopt : std::optional(*read);
  }
  if (node.op == "Add" || node.op == "Sub") return follow_sum(node);
  if (node.op == "Flatten" || node.op == "Reshape") return follow_flat(node);
  if (node.op != "Concat" || node.int_or("axis", 0) != 1) return std::nullopt;
  Channels all;
  for (const std::string& input : node.inputs) {
    const Channels* read = known(input);
    const auto count = channel_count(graph_, input);
    if (read == nullptr && !count) return std::nullopt;
    // What comes from outside keeps its place among those that are followed.
    const Channels part = read != nullptr ? *read : make(*count);
    if (read == nullptr) {
      for (const size_t channel : part) {
        pinned_[channel] = true;
        reasons_[channel] = fmt::format("'{}' is not made by a layer", input);
      }
    }
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// Channel i of one meets channel i of the other.
std::optional<ChannelMap::Channels> ChannelMap::follow_sum(const Node& node) {
  const Channels* a = known(node.inputs[0]);
  const Channels* b = known(node.inputs[1]);
  const onnx::ValueInfo* first = graph_.value(node.inputs[0]);
  const onnx::ValueInfo* second = graph_.value(node.inputs[1]);
  if (a == nullptr || b == nullptr || a->size() != b->size() || first == nullptr || second == nullptr)
    return std::nullopt;
  if (first->shape.size() != second->shape.size()) return std::nullopt;
  const Channels result = *a;
  for (size_t i = 0; i < result.size(); ++i) join(result[i], (*b)[i]);
  return result;
}

// Each channel becomes as many columns as it has places.
std::optional<ChannelMap::Channels> ChannelMap::follow_flat(const Node& node) {
  const Channels* read = known(node.inputs[0]);
  const auto columns = channel_count(graph_, node.outputs[0]);
  const onnx::ValueInfo* from = graph_.value(node.inputs[0]);
  const onnx::ValueInfo* to = graph_.value(node.outputs[0]);
  if (read == nullptr || !columns || from == nullptr || to == nullptr || to->shape.size() != 2) return std::nullopt;
  if (node.op == "Flatten" && node.int_or("axis", 1) != 1) return std::nullopt;
  if (node.op == "Reshape" && !(from->shape[0] == to->shape[0])) return std::nullopt;
  const size_t places = *columns / read->size();
  if (places * read->size() != *columns) return std::nullopt;
  Channels out;
  for (const size_t channel : *read) out.insert(out.end(), places, channel);
  return out;
}

}  // namespace millwright::lab
