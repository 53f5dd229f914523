// SPDX-License-Identifier: Apache-2.0
// Puts the batch into a model's symbolic shapes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "onnx/model.h"

namespace millwright::inference {

struct FixedInput {
  std::string name;
  onnx::ElementType type = onnx::ElementType::kFloat;
  std::vector<int64_t> shape;
};

struct FixedShapes {
  std::vector<FixedInput> inputs;
  std::map<std::string, int64_t> symbols;  // dimension name -> size
};

// The first dimension of an input is the batch where it is symbolic, and so is every dimension of the same name; any
// other symbolic one is refused by name. A fixed first dimension must equal the batch where the batch is above 1.
// kInvalidInput, kUnsupported (strings), kTooLarge (an input beyond the limit of tensor bytes).
Result<FixedShapes> fix_shapes(const onnx::Summary& model, size_t batch, const onnx::Limits& limits);

// Bytes of a tensor; kTooLarge beyond the limit, or where the sizes overflow.
Result<size_t> tensor_bytes(onnx::ElementType type, const std::vector<int64_t>& shape, const onnx::Limits& limits,
                            const std::string& where);

}  // namespace millwright::inference
