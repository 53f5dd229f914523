// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cstring>

#include "base/check.h"
#include "onnx/graph.h"
#include "onnx/types.h"
#include "onnx/wire_tensor.h"

namespace millwright::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor data is little-endian");

template <typename T>
Tensor make(ElementType type, std::span<const T> values, std::vector<int64_t> dims) {
  MW_CHECK(element_count(dims) == values.size(), "as many values as the shape says");
  const auto bytes = std::as_bytes(values);
  return {.type = type, .dims = std::move(dims), .data = {bytes.begin(), bytes.end()}, .other = {}};
}

// Typed fields hold small types widened (onnx.proto, TensorProto).
template <typename To, typename Field>
Bytes narrowed(const Field& field) {
  Bytes out(static_cast<size_t>(field.size()) * sizeof(To));
  size_t at = 0;
  for (const auto& value : field) {
    const To element = static_cast<To>(value);
    std::memcpy(out.data() + at, &element, sizeof(element));
    at += sizeof(element);
  }
  return out;
}

Bytes typed_data(const wire::TensorProto& proto, ElementType type) {
  using enum ElementType;
  switch (type) {
    case kFloat: return narrowed<float>(proto.float_data());
    case kDouble: return narrowed<double>(proto.double_data());
    case kInt64: return narrowed<int64_t>(proto.int64_data());
    case kUint32: return narrowed<uint32_t>(proto.uint64_data());
    case kUint64: return narrowed<uint64_t>(proto.uint64_data());
    case kInt32: return narrowed<int32_t>(proto.int32_data());
    case kInt16: return narrowed<int16_t>(proto.int32_data());
    case kUint16:
    case kFloat16:
    case kBfloat16: return narrowed<uint16_t>(proto.int32_data());
    case kInt8: return narrowed<int8_t>(proto.int32_data());
    case kUint8:
    case kBool: return narrowed<uint8_t>(proto.int32_data());
    case kString: break;
  }
  return {};
}

template <typename T>
std::span<T> view(std::span<std::byte> data) {
  return {reinterpret_cast<T*>(data.data()), data.size() / sizeof(T)};
}

}  // namespace

size_t Tensor::elements() const { return element_count(dims).value_or(0); }

std::span<const float> Tensor::floats() const {
  MW_CHECK(type == ElementType::kFloat && other.empty(), "a tensor of another type");
  return {reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)};
}

std::span<float> Tensor::floats() {
  MW_CHECK(type == ElementType::kFloat && other.empty(), "a tensor of another type");
  return view<float>(data);
}

std::span<const int64_t> Tensor::ints() const {
  MW_CHECK(type == ElementType::kInt64 && other.empty(), "a tensor of another type");
  return {reinterpret_cast<const int64_t*>(data.data()), data.size() / sizeof(int64_t)};
}

Tensor tensor(std::span<const float> values, std::vector<int64_t> dims) {
  return make(ElementType::kFloat, values, std::move(dims));
}
Tensor tensor(std::span<const int64_t> values, std::vector<int64_t> dims) {
  return make(ElementType::kInt64, values, std::move(dims));
}
Tensor tensor(std::span<const int32_t> values, std::vector<int64_t> dims) {
  return make(ElementType::kInt32, values, std::move(dims));
}
Tensor tensor(std::span<const int8_t> values, std::vector<int64_t> dims) {
  return make(ElementType::kInt8, values, std::move(dims));
}
Tensor tensor(std::span<const uint8_t> values, std::vector<int64_t> dims) {
  return make(ElementType::kUint8, values, std::move(dims));
}

Tensor tensor_from(wire::TensorProto&& proto) {
  Tensor out;
  const auto type = element_type_from(proto.data_type());
  out.dims.assign(proto.dims().begin(), proto.dims().end());
  if (!type || *type == ElementType::kString) {
    out.type = type.value_or(ElementType::kString);
    out.other = proto.SerializeAsString();
    return out;
  }
  out.type = *type;
  if (proto.has_raw_data()) {
    const auto raw = std::as_bytes(std::span(proto.raw_data()));
    out.data.assign(raw.begin(), raw.end());
  } else {
    out.data = typed_data(proto, *type);
  }
  return out;
}

void set_tensor(wire::TensorProto& out, const std::string& name, const Tensor& tensor) {
  if (!tensor.other.empty()) {
    MW_CHECK(out.ParseFromString(tensor.other), "what was read once can be read again");
    out.set_name(name);
    return;
  }
  MW_CHECK(tensor.data.size() == tensor.elements() * element_bytes(tensor.type), "as much data as the shape says");
  out.set_name(name);
  out.set_data_type(data_type(tensor.type));
  for (const int64_t dim : tensor.dims) out.add_dims(dim);
  out.set_raw_data(tensor.data.data(), tensor.data.size());
}

}  // namespace millwright::onnx
