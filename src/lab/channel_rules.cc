// SPDX-License-Identifier: Apache-2.0
#include "lab/channel_rules.h"

#include <algorithm>
#include <array>
#include <vector>

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;
using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

constexpr std::array kKeeping = {
    "Abs"sv,           "AveragePool"sv, "Dropout"sv,  "Elu"sv,       "Gelu"sv,    "Mish"sv, "GlobalAveragePool"sv,
    "GlobalMaxPool"sv, "HardSwish"sv,   "Identity"sv, "LeakyRelu"sv, "MaxPool"sv, "Neg"sv,  "Relu"sv,
    "Selu"sv,          "Softsign"sv,    "Swish"sv,    "Tanh"sv};
constexpr std::array kNotZero = {"HardSigmoid"sv, "Sigmoid"sv};

bool is_float_constant(const Tensor* tensor) { return tensor != nullptr && tensor->type == onnx::ElementType::kFloat; }

bool clips_around_zero(const Graph& graph, const Node& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i].empty()) continue;
    const Tensor* bound = graph.constant(node.inputs[i]);
    if (!is_float_constant(bound) || bound->elements() != 1) return false;
    if (i == 1 ? bound->floats()[0] > 0.0F : bound->floats()[0] < 0.0F) return false;
  }
  return true;
}

// As an attribute, or from operator set 18 (Squeeze: 13) on as the second input.
std::optional<std::vector<int64_t>> axes_of(const Graph& graph, const Node& node) {
  if (node.find("axes") != nullptr) return node.ints_or("axes", {});
  if (node.inputs.size() < 2) return std::nullopt;
  const Tensor* axes = graph.constant(node.inputs[1]);
  if (axes == nullptr || axes->type != onnx::ElementType::kInt64) return std::nullopt;
  return std::vector<int64_t>(axes->ints().begin(), axes->ints().end());
}

// Over places only: the batch and the channels stay.
bool reduces_places(const Graph& graph, const Node& node) {
  const onnx::ValueInfo* input = graph.value(node.inputs[0]);
  const auto axes = axes_of(graph, node);
  if (input == nullptr || !axes || axes->empty()) return false;
  const auto rank = static_cast<int64_t>(input->shape.size());
  return std::ranges::all_of(*axes, [&](int64_t axis) { return (axis < 0 ? axis + rank : axis) >= 2; });
}

bool pads_places_with_zeros(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 2 || (node.inputs.size() > 3 && !node.inputs[3].empty())) return false;
  const Tensor* pads = graph.constant(node.inputs[1]);
  if (pads == nullptr || pads->type != onnx::ElementType::kInt64) return false;
  const size_t rank = pads->elements() / 2;
  if (rank < 2 || pads->ints()[1] != 0 || pads->ints()[rank + 1] != 0) return false;
  if (node.inputs.size() < 3 || node.inputs[2].empty()) return true;
  const Tensor* value = graph.constant(node.inputs[2]);
  return is_float_constant(value) && value->elements() == 1 && value->floats()[0] == 0.0F;
}

// By factors; sizes would have to be told anew.
bool resizes_places(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 3 || node.find("axes") != nullptr) return false;
  const onnx::Attribute* where = node.find("coordinate_transformation_mode");
  if (where != nullptr && where->s == "tf_crop_and_resize") return false;  // it fills with a value of its own
  const Tensor* factors = graph.constant(node.inputs[2]);
  return is_float_constant(factors) && factors->elements() >= 2 && factors->floats()[0] == 1.0F &&
         factors->floats()[1] == 1.0F;
}

}  // namespace

std::optional<size_t> channel_count(const Graph& graph, std::string_view value) {
  const onnx::ValueInfo* info = graph.value(value);
  if (info == nullptr || info->shape.size() < 2 || info->shape[1].size < 1) return std::nullopt;
  return static_cast<size_t>(info->shape[1].size);
}

bool keeps_channels(const Graph& graph, const Node& node) {
  if (std::ranges::find(kKeeping, node.op) != kKeeping.end()) return true;
  if (node.op == "Clip") return clips_around_zero(graph, node);
  if (node.op == "ReduceMean" || node.op == "ReduceMax" || node.op == "ReduceSum" || node.op == "Squeeze") {
    return reduces_places(graph, node);
  }
  if (node.op == "Pad") return pads_places_with_zeros(graph, node);
  return node.op == "Resize" && resizes_places(graph, node);
}

bool keeps_channels_not_zero(const Node& node) { return std::ranges::find(kNotZero, node.op) != kNotZero.end(); }

std::optional<size_t> channel_axis(const Tensor& constant, size_t rank) {
  if (constant.dims.size() + 1 < rank || rank < 2) return std::nullopt;
  const size_t axis = constant.dims.size() + 1 - rank;
  return axis < constant.dims.size() && constant.dims[axis] != 1 ? std::optional(axis) : std::nullopt;
}

}  // namespace millwright::lab
