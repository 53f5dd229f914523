// SPDX-License-Identifier: Apache-2.0
#include "inference/shapes.h"

namespace millwright::inference {
namespace {

Result<FixedInput> fix_input(const onnx::ValueInfo& info, int64_t batch, std::map<std::string, int64_t>& symbols) {
  if (info.type == onnx::ElementType::kString) {
    return fail(ErrorCode::kUnsupported, "model: input '{}' is text; only numbers are taken", info.name);
  }
  FixedInput out{.name = info.name, .type = info.type, .shape = {}};
  for (size_t i = 0; i < info.shape.size(); ++i) {
    const onnx::Dim& dim = info.shape[i];
    if (dim.size >= 0) {
      if (i == 0 && batch > 1 && dim.size != batch) {
        return fail(ErrorCode::kInvalidInput, "model: input '{}' has a fixed first dimension of {}, wanted is {}",
                    info.name, dim.size, batch);
      }
      out.shape.push_back(dim.size);
    } else if (i == 0 || symbols.contains(dim.name)) {
      if (!dim.name.empty()) symbols[dim.name] = batch;
      out.shape.push_back(batch);
    } else {
      return fail(ErrorCode::kInvalidInput,
                  "model: dimension {} ('{}') of input '{}' is not fixed; only the first, the batch, may be open", i,
                  dim.name, info.name);
    }
  }
  return out;
}

}  // namespace

Result<size_t> tensor_bytes(onnx::ElementType type, const std::vector<int64_t>& shape, const onnx::Limits& limits,
                            const std::string& where) {
  uint64_t bytes = onnx::element_bytes(type);
  for (const int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes) ||
        bytes > limits.max_tensor_bytes) {
      return fail(ErrorCode::kTooLarge, "model: {} needs more than the limit of {} bytes", where,
                  limits.max_tensor_bytes);
    }
  }
  return static_cast<size_t>(bytes);
}

Result<FixedShapes> fix_shapes(const onnx::Summary& model, size_t batch, const onnx::Limits& limits) {
  if (batch == 0 || batch > limits.max_tensor_bytes) {
    return fail(ErrorCode::kInvalidInput, "model: a batch of {}", batch);
  }
  FixedShapes shapes;
  for (const onnx::ValueInfo& info : model.inputs) {
    FixedInput input = MW_TRY(fix_input(info, static_cast<int64_t>(batch), shapes.symbols));
    static_cast<void>(MW_TRY(tensor_bytes(input.type, input.shape, limits, fmt::format("input '{}'", input.name))));
    shapes.inputs.push_back(std::move(input));
  }
  if (shapes.inputs.empty()) return fail(ErrorCode::kInvalidInput, "model: it has no input");
  return shapes;
}

}  // namespace millwright::inference
