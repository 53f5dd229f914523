// SPDX-License-Identifier: Apache-2.0
// Constants as protobuf messages and back, and the model's message whole; only this room sees them.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "onnx/graph.h"
#include "onnx/wire.pb.h"

namespace millwright::onnx {

// Whatever form the message keeps its elements in; it was checked before.
Tensor tensor_from(wire::TensorProto&& proto);
void set_tensor(wire::TensorProto& out, const std::string& name, const Tensor& tensor);

// Model::parse and Model::serialize on the message itself, with their errors.
Result<wire::ModelProto> parse_wire(std::span<const std::byte> bytes, const Limits& limits);
Result<Bytes> write_wire(const wire::ModelProto& model);

}  // namespace millwright::onnx
