// SPDX-License-Identifier: Apache-2.0
// Brings a graph from an older operator set to a newer one.
#pragma once

#include "base/error.h"
#include "onnx/graph.h"

namespace millwright::onnx {

inline constexpr int64_t kOldestOpset = 11;
inline constexpr int64_t kWrittenOpset = 17;

// To kWrittenOpset where it is older, by a table of what changed (ONNX, "Operator Changelog"); a newer one stays.
// kUnsupported: older than kOldestOpset, or a node whose meaning changed in a way that the table does not know, by
// name.
Status raise_opset(Graph& graph);

}  // namespace millwright::onnx
