// SPDX-License-Identifier: Apache-2.0
// What constants and fixed input sizes tell about a node's result: just enough to find those that ask for too much.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "onnx/wire.pb.h"

namespace millwright::onnx {

// Longer constants drive no shapes.
inline constexpr size_t kMaxTrackedValues = 64;

// A tensor as far as it is known. Sizes are doubles: a bomb's product must not overflow into something harmless.
struct Known {
  std::vector<double> shape;
  std::optional<std::vector<double>> values;  // of small numeric constants, in order
};

// The constant of an initializer or attribute; its data was checked before.
Known known_tensor(const wire::TensorProto& tensor);

// The node's first result from its inputs; null where an input is unknown or absent. nullopt: cannot tell.
std::optional<Known> infer(const wire::NodeProto& node, const std::vector<const Known*>& inputs);

// Elements of a shape.
double elements(const std::vector<double>& shape);

}  // namespace millwright::onnx
