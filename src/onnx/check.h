// SPDX-License-Identifier: Apache-2.0
// The checks behind Model::parse, on protobuf messages; only this room sees them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "onnx/model.h"
#include "onnx/wire.pb.h"

namespace millwright::onnx {

// A name out of a hostile file, fit for a one-line message: quoted, control characters replaced, cut at 60 bytes.
std::string shown(std::string_view name);

// "node 12 'fc1' (MatMul)".
std::string describe(const wire::NodeProto& node, int index);

// Versions, domains, then the graph with its subgraphs; the errors are those of Model::parse.
Status check_model(const wire::ModelProto& model, const Limits& limits);

// Names, order, types and operators of one graph and those within.
Status check_graphs(const wire::GraphProto& graph, const Limits& limits);

// Rank, element count against the data that is there, bytes, no external data. `where` starts the message.
Status check_tensor(const wire::TensorProto& tensor, const Limits& limits, std::string_view where);

// Sizes of results as far as constants and fixed input sizes tell; unknown dimensions count as 1.
Status check_sizes(const wire::GraphProto& graph, const Limits& limits);

}  // namespace millwright::onnx
