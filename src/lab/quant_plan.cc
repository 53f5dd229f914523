// SPDX-License-Identifier: Apache-2.0
#include "lab/quant_plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;
using onnx::Graph;
using onnx::Node;

constexpr std::array kMoving = {"DepthToSpace"sv, "Flatten"sv,   "MaxPool"sv,  "Reshape"sv,
                                "Squeeze"sv,      "Transpose"sv, "Unsqueeze"sv};
constexpr std::array kBetween = {"Add"sv, "AveragePool"sv, "Concat"sv, "GlobalAveragePool"sv, "Mul"sv};

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& list, const Node& node) {
  return node.domain.empty() && std::ranges::find(list, node.op) != list.end();
}

bool is_product(const Node& node) { return node.op == "Gemm" || node.op == "MatMul"; }

class Planner {
 public:
  Planner(const Graph& graph, const std::set<std::string>& float_nodes)
      : graph_(graph), wiring_(graph), float_nodes_(float_nodes) {}

  QuantPlan run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) consider_weighted(i);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) consider_between(i);
    // A move is worth something only where what it makes is read in 8 bits.
    for (size_t i = graph_.nodes.size(); i-- > 0;) consider_moving(i);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) add_values(i);
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool is_float(const std::string& name) const {
    if (const onnx::Tensor* constant = graph_.constant(name)) return constant->type == onnx::ElementType::kFloat;
    const onnx::ValueInfo* value = graph_.value(name);
    return value != nullptr && value->type == onnx::ElementType::kFloat;
  }
  [[nodiscard]] bool is_quantised(size_t node) const {
    return plan_.weighted.contains(node) || plan_.others.contains(node);
  }

  // What keeps a node with weights from 8 bits; nullopt: nothing.
  [[nodiscard]] std::optional<std::string> obstacle(const Node& node) const {
    if (float_nodes_.contains(node.name)) return "it was named to stay in float";
    if (!is_float(node.inputs[0])) return "its input is not known to be of floats";
    if (graph_.constant(node.inputs[0]) != nullptr) return "its input is a constant";
    const onnx::Tensor* weights = graph_.constant(node.inputs[1]);
    if (weights == nullptr) return "its weights are not constant";
    if (weights->type != onnx::ElementType::kFloat) return "its weights are not of floats";
    if (weights->dims.size() < 2) return "its weights have less than two dimensions";
    if (node.op == "MatMul" && weights->dims.size() > 2) return "its weights have more than two dimensions";
    if (node.op == "Gemm") {
      if (node.int_or("transA", 0) != 0) return "it transposes its input";
      if (node.float_or("alpha", 1.0F) != 1.0F || node.float_or("beta", 1.0F) != 1.0F) return "it scales its operands";
    }
    if (node.inputs.size() < 3 || node.inputs[2].empty()) return std::nullopt;
    const onnx::Tensor* bias = graph_.constant(node.inputs[2]);
    if (bias == nullptr || bias->type != onnx::ElementType::kFloat) return "its bias is not a constant of floats";
    const int64_t channels = node.op == "Conv"               ? weights->dims[0]
                             : node.int_or("transB", 0) != 0 ? weights->dims[0]
                                                             : weights->dims[1];
    if (static_cast<int64_t>(bias->elements()) != channels) return "its bias is not one value a channel";
    return std::nullopt;
  }

  void consider_weighted(size_t index) {
    const Node& node = graph_.nodes[index];
    if (!node.domain.empty() || (node.op != "Conv" && !is_product(node)) || node.inputs.size() < 2) return;
    if (const auto why = obstacle(node)) {
      plan_.left_float.push_back({node.describe(), *why, node.name});
    } else {
      plan_.weighted.insert(index);
      plan_.weighted_names.insert(node.name);
    }
  }

  // Whether 8 bits over the values behind a Clip say nothing that it would change, so that the runtime leaves it out:
  // the least of them is told exactly where it is 0 and mostly not else.
  [[nodiscard]] bool is_clip_of_the_range(const Node& clip) const {
    for (size_t i = 1; i < clip.inputs.size(); ++i) {
      if (clip.inputs[i].empty()) continue;
      const onnx::Tensor* bound = graph_.constant(clip.inputs[i]);
      if (bound == nullptr || bound->type != onnx::ElementType::kFloat || bound->elements() != 1) return false;
      if (i == 1 && bound->floats()[0] != 0.0F) return false;
    }
    return true;
  }

  // Through the activation that the runtime folds into the kernel: the value that the next ones read.
  [[nodiscard]] const std::string& result(const Node& node) const {
    const std::string& out = node.outputs[0];
    const auto readers = wiring_.readers(out);
    if (readers.size() != 1 || wiring_.is_output(out)) return out;
    const Node& next = graph_.nodes[readers[0]];
    const bool clips = next.op == "Clip" && is_clip_of_the_range(next);
    return next.domain.empty() && (next.op == "Relu" || clips) ? next.outputs[0] : out;
  }

  // Whether a node that is quantised makes it, or the outside does.
  [[nodiscard]] bool comes_quantised(const std::string& value) const {
    const auto maker = wiring_.maker(value);
    if (!maker) return graph_.constant(value) == nullptr;
    if (is_quantised(*maker)) return true;
    const Node& node = graph_.nodes[*maker];
    if (node.op != "Relu" && node.op != "Clip") return is_one_of(kMoving, node) && comes_quantised(node.inputs[0]);
    const auto before = wiring_.maker(node.inputs[0]);
    return before && is_quantised(*before);
  }

  void consider_between(size_t index) {
    const Node& node = graph_.nodes[index];
    if (!is_one_of(kBetween, node) || float_nodes_.contains(node.name)) return;
    if (!std::ranges::all_of(node.inputs, [&](const auto& input) { return is_float(input); })) return;
    if (std::ranges::any_of(node.inputs, [&](const auto& input) { return comes_quantised(input); }) &&
        !plan_.weighted.empty()) {
      plan_.others.insert(index);
    }
  }

  void consider_moving(size_t index) {
    const Node& node = graph_.nodes[index];
    if (!is_one_of(kMoving, node) || node.outputs.size() > 1 || float_nodes_.contains(node.name)) return;
    if (!is_float(node.inputs[0]) || graph_.constant(node.inputs[0]) != nullptr) return;
    const auto readers = wiring_.readers(node.outputs[0]);
    if (std::ranges::any_of(readers, [&](size_t reader) { return is_quantised(reader); })) plan_.others.insert(index);
  }

  void add(const std::string& value) {
    if (graph_.constant(value) == nullptr && known_.insert(value).second) plan_.activations.push_back(value);
  }

  void add_values(size_t index) {
    if (!is_quantised(index)) return;
    const Node& node = graph_.nodes[index];
    const bool moves = is_one_of(kMoving, node);
    const size_t values = plan_.weighted.contains(index) || moves ? 1 : node.inputs.size();
    for (size_t i = 0; i < values; ++i) add(node.inputs[i]);
    // A product gives floats where nobody reads it in 8 bits: one rounding less. Not where an activation stands between
    // it and who reads it: the runtime looks for a pair behind that, and keeps a float kernel where there is none.
    if (is_product(node) && (result(node) == node.outputs[0] || wiring_.readers(result(node)).empty())) return;
    if (moves) plan_.follows.emplace(node.outputs[0], node.inputs[0]);
    add(moves ? node.outputs[0] : result(node));
  }

  const Graph& graph_;
  const onnx::Wiring wiring_;
  const std::set<std::string>& float_nodes_;
  QuantPlan plan_;
  std::set<std::string> known_;
};

}  // namespace

QuantPlan plan_quantization(const Graph& graph, const std::set<std::string>& float_nodes) {
  return Planner(graph, float_nodes).run();
}

const std::string& leader(const QuantPlan& plan, const std::string& value) {
  const std::string* at = &value;
  for (auto found = plan.follows.find(*at); found != plan.follows.end(); found = plan.follows.find(*at)) {
    at = &found->second;
  }
  return *at;
}

}  // namespace millwright::lab
