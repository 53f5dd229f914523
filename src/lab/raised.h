// SPDX-License-Identifier: Apache-2.0
// The form of a model that every pass begins with.
#pragma once

#include "base/error.h"
#include "onnx/graph.h"

namespace millwright::lab {

// Of the operator set that we write, constants and BatchNorm folded, with all types and shapes. Errors as
// onnx::raise_opset and inference::prepared_graph.
Result<onnx::Graph> raised_and_prepared(onnx::Graph graph);

}  // namespace millwright::lab
