// SPDX-License-Identifier: Apache-2.0
#include "onnx/types.h"

#include <algorithm>
#include <array>

#include "onnx/model.h"

namespace millwright::onnx {
namespace {

struct TypeRow {
  ElementType type;
  int32_t number;  // TensorProto.DataType
  std::string_view name;
  uint32_t bytes;
};

constexpr std::array kTypes = {
    TypeRow{ElementType::kFloat, 1, "float", 4},    TypeRow{ElementType::kUint8, 2, "uint8", 1},
    TypeRow{ElementType::kInt8, 3, "int8", 1},      TypeRow{ElementType::kUint16, 4, "uint16", 2},
    TypeRow{ElementType::kInt16, 5, "int16", 2},    TypeRow{ElementType::kInt32, 6, "int32", 4},
    TypeRow{ElementType::kInt64, 7, "int64", 8},    TypeRow{ElementType::kString, 8, "string", 0},
    TypeRow{ElementType::kBool, 9, "bool", 1},      TypeRow{ElementType::kFloat16, 10, "float16", 2},
    TypeRow{ElementType::kDouble, 11, "double", 8}, TypeRow{ElementType::kUint32, 12, "uint32", 4},
    TypeRow{ElementType::kUint64, 13, "uint64", 8}, TypeRow{ElementType::kBfloat16, 16, "bfloat16", 2},
};

const TypeRow& row(ElementType type) { return *std::ranges::find(kTypes, type, &TypeRow::type); }

}  // namespace

std::optional<ElementType> element_type_from(int32_t data_type) {
  const auto* found = std::ranges::find(kTypes, data_type, &TypeRow::number);
  return found == kTypes.end() ? std::nullopt : std::optional(found->type);
}

int32_t data_type(ElementType type) { return row(type).number; }

std::string_view name(ElementType type) { return row(type).name; }

size_t element_bytes(ElementType type) { return row(type).bytes; }

uint32_t element_bits(int32_t data_type) {
  if (const auto type = element_type_from(data_type)) return static_cast<uint32_t>(element_bytes(*type)) * 8;
  switch (data_type) {
    case 14: return 64;   // complex64
    case 15: return 128;  // complex128
    case 17:
    case 18:
    case 19:
    case 20: return 8;  // 8-bit floats
    case 21:
    case 22:
    case 23: return 4;  // uint4, int4, float4
    default: return 0;
  }
}

std::optional<uint64_t> element_count(std::span<const int64_t> dims) {
  bool zero = false;
  uint64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) zero = true;
    if (dim > 1 && __builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count)) return std::nullopt;
    if (count > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  }
  return zero ? 0 : count;
}

}  // namespace millwright::onnx
