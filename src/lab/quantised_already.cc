// SPDX-License-Identifier: Apache-2.0
#include "lab/quantised_already.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millwright::lab {

const onnx::Node* quantised_node(const onnx::Graph& graph) {
  constexpr std::array<std::string_view, 7> kOperators = {"QuantizeLinear",       "DequantizeLinear", "QLinearConv",
                                                          "QLinearMatMul",        "MatMulInteger",    "ConvInteger",
                                                          "DynamicQuantizeLinear"};
  const auto found = std::ranges::find_if(graph.nodes, [&](const onnx::Node& node) {
    return std::ranges::find(kOperators, node.op) != kOperators.end() || node.domain == "com.microsoft";
  });
  return found == graph.nodes.end() ? nullptr : &*found;
}

}  // namespace millwright::lab
