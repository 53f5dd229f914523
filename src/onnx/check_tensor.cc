// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "onnx/check.h"
#include "onnx/types.h"

namespace millwright::onnx {
namespace {

// How many elements the typed fields hold; each data type has one field (onnx.proto, TensorProto).
uint64_t typed_elements(const wire::TensorProto& tensor) {
  switch (tensor.data_type()) {
    case wire::TensorProto::FLOAT: return static_cast<uint64_t>(tensor.float_data_size());
    case wire::TensorProto::COMPLEX64: return static_cast<uint64_t>(tensor.float_data_size()) / 2;
    case wire::TensorProto::DOUBLE: return static_cast<uint64_t>(tensor.double_data_size());
    case wire::TensorProto::COMPLEX128: return static_cast<uint64_t>(tensor.double_data_size()) / 2;
    case wire::TensorProto::INT64: return static_cast<uint64_t>(tensor.int64_data_size());
    case wire::TensorProto::UINT32:
    case wire::TensorProto::UINT64: return static_cast<uint64_t>(tensor.uint64_data_size());
    case wire::TensorProto::STRING: return static_cast<uint64_t>(tensor.string_data_size());
    default: return static_cast<uint64_t>(tensor.int32_data_size());
  }
}

Status check_data(const wire::TensorProto& tensor, uint64_t elements, std::string_view where) {
  const uint32_t bits = element_bits(tensor.data_type());
  if (tensor.has_raw_data()) {
    const uint64_t wanted = (elements * bits + 7) / 8;
    if (bits != 0 && tensor.raw_data().size() == wanted) return {};
    return fail(ErrorCode::kInvalidInput, "{}: its shape needs {} bytes, its data has {}", where, wanted,
                tensor.raw_data().size());
  }
  // Two 4-bit elements share one entry of int32_data.
  const uint64_t wanted = bits == 4 ? (elements + 1) / 2 : elements;
  if (typed_elements(tensor) == wanted) return {};
  return fail(ErrorCode::kInvalidInput, "{}: its shape needs {} elements, its data has {}", where, elements,
              typed_elements(tensor));
}

}  // namespace

Status check_tensor(const wire::TensorProto& tensor, const Limits& limits, std::string_view where) {
  if (tensor.data_location() != wire::TensorProto::DEFAULT || tensor.external_data_size() > 0) {
    const auto location = std::ranges::find(tensor.external_data(), "location", &wire::StringStringEntryProto::key);
    return fail(ErrorCode::kRefused, "{}: its data is in another file ({}); store it inside the model", where,
                location == tensor.external_data().end() ? "unnamed" : shown(location->value()));
  }
  if (tensor.has_segment()) return fail(ErrorCode::kUnsupported, "{}: segmented tensors are not taken", where);
  if (static_cast<uint64_t>(tensor.dims_size()) > limits.max_rank) {
    return fail(ErrorCode::kTooLarge, "{}: rank {}, more than the limit of {}", where, tensor.dims_size(),
                limits.max_rank);
  }
  const bool text = tensor.data_type() == wire::TensorProto::STRING;
  const uint32_t bits = element_bits(tensor.data_type());
  if (bits == 0 && !text) {
    return fail(ErrorCode::kUnsupported, "{}: unknown element type {}", where, tensor.data_type());
  }
  const auto elements = element_count({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())});
  if (!elements) return fail(ErrorCode::kInvalidInput, "{}: a negative size, or sizes that overflow", where);
  const uint64_t room = limits.max_tensor_bytes / std::max(1U, bits / 8);
  if (*elements > room) {
    return fail(ErrorCode::kTooLarge, "{}: {} elements, more than the limit of {} bytes", where, *elements,
                limits.max_tensor_bytes);
  }
  return check_data(tensor, *elements, where);
}

}  // namespace millwright::onnx
