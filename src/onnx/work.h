// SPDX-License-Identifier: Apache-2.0
// What a graph asks of a machine for one run: multiply-adds, parameters, memory of what lies between its nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "onnx/graph.h"

namespace millwright::onnx {

struct NodeWork {
  // Of convolutions, products of matrices and recurrent layers; 0 for all others, as published figures count. Absent:
  // a shape is not known, or the operator hides its products from a count (it holds a subgraph, Einsum, ...).
  std::optional<uint64_t> multiply_adds;
  uint64_t parameters = 0;        // elements of the constants that it reads, shared ones included
  std::optional<uint64_t> bytes;  // of its results; absent: a shape or type is not known
  uint64_t live_bytes = 0;        // of all values held while it runs, constants aside
};

struct Work {
  std::vector<NodeWork> nodes;    // in the order of graph.nodes
  uint64_t multiply_adds = 0;     // of those that are known
  uint64_t uncounted_nodes = 0;   // whose multiply-adds are not known
  uint64_t parameters = 0;        // elements of all constants
  uint64_t parameter_bytes = 0;   //
  uint64_t activation_bytes = 0;  // the most that is held at one time, see activation_bound
  std::optional<size_t> peak;     // the node at which it is; absent: there is none
  bool activation_bound = true;   // false: a shape is not known, so that activation_bytes may be too small
};

// Shapes are those that the graph states (inference::shaped_graph puts them in). An activation is held from the node
// that makes it to its last reader; an input from the start, an output to the end. Nodes run in their order, results
// are never written over inputs: what a plan for the memory can reach without that. A count beyond 64 bits is not
// known.
Work work_of(const Graph& graph);

}  // namespace millwright::onnx
