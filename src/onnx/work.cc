// SPDX-License-Identifier: Apache-2.0
#include "onnx/work.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millwright::onnx {
namespace {

using namespace std::string_view_literals;
using Count = std::optional<uint64_t>;

// Their multiply-adds are not counted here.
constexpr std::array kUncountable = {"Attention"sv, "DFT"sv, "DeformConv"sv, "Einsum"sv, "STFT"sv};

Count times(Count a, Count b) {
  uint64_t out = 0;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &out)) return std::nullopt;
  return out;
}

Count plus(Count a, Count b) {
  uint64_t out = 0;
  if (!a || !b || __builtin_add_overflow(*a, *b, &out)) return std::nullopt;
  return out;
}

Count product(const std::vector<int64_t>& dims, size_t from = 0) {
  Count out = 1;
  for (size_t i = from; i < dims.size(); ++i) out = times(out, static_cast<uint64_t>(dims[i]));
  return out;
}

// Where the operands of a product stand among a node's inputs; the integer forms have scales and zero points between.
struct Operands {
  std::string_view op;
  size_t left = 0;
  size_t right = 1;
};
constexpr std::array kConvolutions = {Operands{"Conv"}, Operands{"ConvInteger"}, Operands{"FusedConv"},
                                      Operands{"QLinearConv", 0, 3}};
constexpr std::array kProducts = {Operands{"FusedGemm"},
                                  Operands{"FusedMatMul"},
                                  Operands{"Gemm"},
                                  Operands{"MatMul"},
                                  Operands{"MatMulInteger"},
                                  Operands{"QGemm", 0, 3},
                                  Operands{"QLinearMatMul", 0, 3},
                                  Operands{"MatMulIntegerToFloat"},
                                  Operands{"DynamicQuantizeMatMul"}};
constexpr std::array kRecurrent = {"GRU"sv, "LSTM"sv, "RNN"sv};

template <size_t N>
const Operands* find(const std::array<Operands, N>& list, std::string_view op) {
  const auto* const found = std::ranges::find(list, op, &Operands::op);
  return found == list.end() ? nullptr : &*found;
}

class Counter {
 public:
  explicit Counter(const Graph& graph) : graph_(graph) {}

  [[nodiscard]] Count multiply_adds(const Node& node) const {
    if (!node.captured.empty() || node.op == "If" || node.op == "Loop" || node.op == "Scan") return std::nullopt;
    if (std::ranges::find(kUncountable, node.op) != kUncountable.end()) return std::nullopt;
    if (const Operands* at = find(kConvolutions, node.op)) return convolution(node, *at);
    if (const Operands* at = find(kProducts, node.op)) return matrices(node, *at);
    if (node.op == "ConvTranspose") return scattered(node);
    if (std::ranges::find(kRecurrent, node.op) != kRecurrent.end()) return recurrent(node);
    return 0;
  }

  // Bytes of a value that a node makes or that comes from outside; 0 for constants and for none.
  [[nodiscard]] Count bytes(const std::string& name) const {
    if (name.empty() || graph_.constant(name) != nullptr) return 0;
    const ValueInfo* info = graph_.value(name);
    const auto dims = shape(name);
    if (info == nullptr || !dims) return std::nullopt;
    return times(product(*dims), element_bytes(info->type));
  }

 private:
  [[nodiscard]] std::optional<std::vector<int64_t>> shape(const std::string& name) const {
    if (const Tensor* constant = graph_.constant(name)) return constant->dims;
    const ValueInfo* info = graph_.value(name);
    if (info == nullptr) return std::nullopt;
    std::vector<int64_t> dims;
    for (const Dim& dim : info->shape) {
      if (dim.size < 0) return std::nullopt;
      dims.push_back(dim.size);
    }
    return dims;
  }
  [[nodiscard]] std::optional<std::vector<int64_t>> input(const Node& node, size_t index) const {
    if (index >= node.inputs.size() || node.inputs[index].empty()) return std::nullopt;
    return shape(node.inputs[index]);
  }
  [[nodiscard]] Count results(const Node& node) const {
    const auto dims = node.outputs.empty() ? std::nullopt : shape(node.outputs[0]);
    return dims ? product(*dims) : std::nullopt;
  }

  // Every result is a sum over the inputs of its group and the window: weights are (out, in of the group, window).
  [[nodiscard]] Count convolution(const Node& node, const Operands& at) const {
    const auto weights = input(node, at.right);
    if (!weights || weights->empty()) return std::nullopt;
    return times(results(node), product(*weights, 1));
  }
  // Every input goes to the outputs of its group and the window: weights are (in, out of the group, window).
  [[nodiscard]] Count scattered(const Node& node) const {
    const auto from = input(node, 0);
    const auto weights = input(node, 1);
    if (!from || !weights || weights->empty()) return std::nullopt;
    return times(product(*from), product(*weights, 1));
  }
  [[nodiscard]] Count matrices(const Node& node, const Operands& at) const {
    const auto left = input(node, at.left);
    if (!left || left->empty()) return std::nullopt;
    const bool turned = node.int_or("transA", 0) != 0 && left->size() >= 2;
    return times(results(node), static_cast<uint64_t>(turned ? (*left)[left->size() - 2] : left->back()));
  }
  // X is (steps, batch, input); W and R are (directions, gates * hidden, input or hidden), each used once a step.
  [[nodiscard]] Count recurrent(const Node& node) const {
    const auto x = input(node, 0);
    const auto w = input(node, 1);
    const auto r = input(node, 2);
    if (!x || !w || !r || x->size() != 3) return std::nullopt;
    return times(times(static_cast<uint64_t>((*x)[0]), static_cast<uint64_t>((*x)[1])), plus(product(*w), product(*r)));
  }

  const Graph& graph_;
};

// Index of the last node that reads each value; as many as there are nodes: it is an output of the graph.
std::map<std::string, size_t, std::less<>> last_readers(const Graph& graph) {
  std::map<std::string, size_t, std::less<>> last;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& name : graph.nodes[i].inputs) last[name] = i;
    for (const std::string& name : graph.nodes[i].captured) last[name] = i;
  }
  for (const ValueInfo& output : graph.outputs) last[output.name] = graph.nodes.size();
  return last;
}

// Walks the nodes with what is held. A value that nobody reads is held while its node runs.
void follow_memory(const Graph& graph, const Counter& counter, Work& work) {
  const auto last = last_readers(graph);
  std::vector<uint64_t> freed(graph.nodes.size() + 1, 0);
  uint64_t held = 0;
  const auto hold = [&](const std::string& name, size_t at) {
    const Count bytes = counter.bytes(name);
    work.activation_bound = work.activation_bound && bytes.has_value();
    const auto reader = last.find(name);
    freed[reader == last.end() ? at : reader->second] += bytes.value_or(0);
    held += bytes.value_or(0);
    return bytes;
  };
  for (const ValueInfo& input : graph.inputs) hold(input.name, 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Count made = 0;
    for (const std::string& output : graph.nodes[i].outputs) made = plus(made, hold(output, i));
    work.nodes[i].bytes = made;
    work.nodes[i].live_bytes = held;
    if (!work.peak || held > work.activation_bytes) {
      work.activation_bytes = held;
      work.peak = i;
    }
    held -= freed[i];
  }
}

}  // namespace

Work work_of(const Graph& graph) {
  Work work;
  const Counter counter(graph);
  for (const auto& [name, constant] : graph.constants) {
    const size_t elements = constant.elements();
    work.parameters += elements;
    work.parameter_bytes += constant.data.empty() ? constant.other.size() : constant.data.size();
  }
  for (const Node& node : graph.nodes) {
    NodeWork one{.multiply_adds = counter.multiply_adds(node)};
    for (const std::string& input : node.inputs) {
      if (const Tensor* constant = graph.constant(input)) one.parameters += constant->elements();
    }
    if (!one.multiply_adds) ++work.uncounted_nodes;
    work.multiply_adds += one.multiply_adds.value_or(0);
    work.nodes.push_back(one);
  }
  follow_memory(graph, counter, work);
  return work;
}

}  // namespace millwright::onnx
