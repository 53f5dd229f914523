// SPDX-License-Identifier: Apache-2.0
// Whether a model calculates with integers already: passes that begin with floats refuse it.
#pragma once

#include "onnx/graph.h"

namespace millwright::lab {

// The first node that only a quantiser writes; nullptr: there is none.
const onnx::Node* quantised_node(const onnx::Graph& graph);

}  // namespace millwright::lab
