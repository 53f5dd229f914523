// SPDX-License-Identifier: Apache-2.0
#include "lab/half.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "inference/optimised.h"
#include "onnx/raise_opset.h"

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;
using onnx::ElementType;
using onnx::Graph;
using onnx::Node;

// Element types as ONNX's Cast numbers them.
constexpr int64_t kToFloat = 1;
constexpr int64_t kToHalf = 10;

// Operators whose operands of floats may all be halves (ONNX, "Operators": type constraints), but for those that add up
// so much that half's 11 bits tell too little.
constexpr std::array kHalfOperators = {"Abs"sv,          "Add"sv,
                                       "AveragePool"sv,  "BatchNormalization"sv,
                                       "Clip"sv,         "Concat"sv,
                                       "Conv"sv,         "ConvTranspose"sv,
                                       "DepthToSpace"sv, "Div"sv,
                                       "Elu"sv,          "Flatten"sv,
                                       "Gemm"sv,         "GlobalAveragePool"sv,
                                       "HardSigmoid"sv,  "HardSwish"sv,
                                       "Identity"sv,     "LeakyRelu"sv,
                                       "MatMul"sv,       "Max"sv,
                                       "MaxPool"sv,      "Min"sv,
                                       "Mul"sv,          "Neg"sv,
                                       "PRelu"sv,        "Relu"sv,
                                       "Reshape"sv,      "Sigmoid"sv,
                                       "Slice"sv,        "Squeeze"sv,
                                       "Sub"sv,          "Tanh"sv,
                                       "Transpose"sv,    "Unsqueeze"sv};

onnx::Tensor half_of(const onnx::Tensor& tensor) {
  onnx::Tensor out{.type = ElementType::kFloat16, .dims = tensor.dims, .data = {}, .other = {}};
  const auto values = tensor.floats();
  out.data.resize(values.size() * sizeof(_Float16));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto half = static_cast<_Float16>(values[i]);
    std::memcpy(out.data.data() + i * sizeof(half), &half, sizeof(half));
  }
  return out;
}

class HalfWriter {
 public:
  HalfWriter(Graph& graph, const Ranges& ranges) : graph_(graph), ranges_(ranges) {}

  HalfModel run() {
    HalfModel out;
    std::vector<bool> halves(graph_.nodes.size(), false);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!handles_floats(node)) continue;
      if (const auto why = obstacle(node)) {
        out.left_float.push_back({node.describe(), *why});
      } else {
        halves[i] = true;
        ++out.half_nodes;
        for (const std::string& output : node.outputs) half_values_.insert(output);
      }
    }
    const size_t count = graph_.nodes.size();  // casts come behind
    for (size_t i = 0; i < count; ++i) rewire(i, halves[i]);
    for (const onnx::ValueInfo& output : graph_.outputs) end_in_float(output.name);
    for (auto& [name, value] : graph_.values) {
      if (half_values_.contains(name) && value.type == ElementType::kFloat) value.type = ElementType::kFloat16;
    }
    return out;
  }

 private:
  [[nodiscard]] bool is_float(const std::string& name) const {
    if (name.empty()) return false;
    if (const onnx::Tensor* constant = graph_.constant(name)) return constant->type == ElementType::kFloat;
    const onnx::ValueInfo* value = graph_.value(name);
    return value != nullptr && value->type == ElementType::kFloat;
  }

  [[nodiscard]] bool handles_floats(const Node& node) const {
    return std::ranges::any_of(node.inputs, [&](const auto& name) { return is_float(name); }) ||
           std::ranges::any_of(node.outputs, [&](const auto& name) { return is_float(name); });
  }

  [[nodiscard]] bool too_large(const std::string& name) const {
    if (const onnx::Tensor* constant = graph_.constant(name); constant != nullptr && is_float(name)) {
      return std::ranges::any_of(constant->floats(), [](float value) { return std::abs(value) > kLargestHalf; });
    }
    const auto range = ranges_.find(name);
    return range != ranges_.end() && std::max(-range->second.low, range->second.high) > kHalfRoom;
  }

  [[nodiscard]] std::optional<std::string> obstacle(const Node& node) const {
    if (!node.domain.empty() || std::ranges::find(kHalfOperators, node.op) == kHalfOperators.end()) {
      return "it stays in float by its kind";
    }
    for (const auto* list : {&node.inputs, &node.outputs}) {
      for (const std::string& name : *list) {
        if (too_large(name)) return fmt::format("'{}' is too large for 16 bits", name);
        if (!name.empty() && graph_.constant(name) == nullptr && graph_.value(name) == nullptr) {
          return fmt::format("the type of '{}' is not known", name);
        }
      }
    }
    return std::nullopt;
  }

  // Each value is cast once, whoever reads the result.
  const std::string& cast(const std::string& name, int64_t to) {
    const auto [found, fresh] = casts_.try_emplace({name, to});
    if (!fresh) return found->second;
    found->second = graph_.fresh_name(name + (to == kToHalf ? "_half" : "_float"));
    if (const onnx::Tensor* constant = graph_.constant(name)) {
      graph_.constants[found->second] = half_of(*constant);
      return found->second;
    }
    add_cast(name, found->second, to);
    return found->second;
  }

  void add_cast(const std::string& from, const std::string& result, int64_t to) {
    Node node;
    node.op = "Cast";
    node.inputs = {from};
    node.outputs = {result};
    onnx::Attribute type;
    type.name = "to";
    type.i = to;
    node.attributes.push_back(type);
    graph_.nodes.push_back(std::move(node));
  }

  void rewire(size_t index, bool half) {
    for (size_t i = 0; i < graph_.nodes[index].inputs.size(); ++i) {
      const std::string name = graph_.nodes[index].inputs[i];
      const bool is_half = half_values_.contains(name);
      if (half == is_half || !is_float(name)) continue;
      const std::string replacement = cast(name, half ? kToHalf : kToFloat);
      graph_.nodes[index].inputs[i] = replacement;  // cast() may have moved the nodes
    }
  }

  // An output of the graph keeps name and type: what made it makes a half of another name.
  void end_in_float(const std::string& name) {
    if (!half_values_.contains(name)) return;
    const std::string half = graph_.fresh_name(name + "_half");
    for (Node& node : graph_.nodes) {
      std::ranges::replace(node.outputs, name, half);
      std::ranges::replace(node.inputs, name, half);
    }
    add_cast(half, name, kToFloat);
  }

  Graph& graph_;
  const Ranges& ranges_;
  std::set<std::string> half_values_;
  std::map<std::pair<std::string, int64_t>, std::string> casts_;
};

}  // namespace

Result<HalfModel> to_half(std::span<const std::byte> model, recording::Dataset& samples,
                          const CalibrationOptions& options) {
  Graph raw = MW_TRY(Graph::parse(model));
  MW_CHECK_OK(onnx::raise_opset(raw));
  const Bytes raised = MW_TRY(raw.serialize());
  Graph graph = MW_TRY(inference::prepared_graph(raised));
  std::vector<std::string> watched;
  watched.reserve(graph.inputs.size() + graph.nodes.size());
  for (const onnx::ValueInfo& input : graph.inputs) watched.push_back(input.name);
  for (const Node& node : graph.nodes) {
    for (const std::string& output : node.outputs) {
      const onnx::ValueInfo* value = graph.value(output);
      if (value != nullptr && value->type == ElementType::kFloat) watched.push_back(output);
    }
  }
  CalibrationOptions extremes = options;
  extremes.method = CalibrationMethod::kMinMax;
  const Ranges ranges = MW_TRY(calibrate(graph, watched, samples, extremes));
  HalfModel out = HalfWriter(graph, ranges).run();
  if (out.half_nodes == 0) {
    return fail(ErrorCode::kInvalidInput, "FP16: nothing can be converted{}{}", out.left_float.empty() ? "" : ": ",
                out.left_float.empty() ? "" : out.left_float[0].node + ": " + out.left_float[0].why);
  }
  onnx::remove_unused(graph);
  out.model = MW_TRY(graph.serialize());
  return out;
}

}  // namespace millwright::lab
