// SPDX-License-Identifier: Apache-2.0
// Which nodes of a graph can calculate in 8 bits, and which values then get a pair of QuantizeLinear and
// DequantizeLinear.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/graph.h"

namespace millwright::lab {

struct LeftFloat {
  std::string node;  // "node 'fc1' (Gemm)"
  std::string why;
  std::string name = {};  // "fc1"
};

struct QuantPlan {
  std::set<size_t> weighted;  // Conv, Gemm and MatMul with constant weights: indices into graph.nodes
  std::set<std::string> weighted_names;
  std::set<size_t> others;  // element-wise, pooling and moving operators between them
  // Values that get a pair, in the order of the graph; inputs of the graph among them.
  std::vector<std::string> activations;
  // Operators that only move values tell what they read and what they make by one scale: value -> the one it follows.
  std::map<std::string, std::string, std::less<>> follows;
  std::vector<LeftFloat> left_float;  // of the kinds that could be quantised
};

// `graph` states types and shapes (inference::prepared_graph). Nodes named in `float_nodes` stay as they are.
QuantPlan plan_quantization(const onnx::Graph& graph, const std::set<std::string>& float_nodes);

// The value whose range `value` is told in: itself, or what it follows.
const std::string& leader(const QuantPlan& plan, const std::string& value);

}  // namespace millwright::lab
