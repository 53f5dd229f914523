// SPDX-License-Identifier: Apache-2.0
// Element types as ONNX numbers them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "onnx/value.h"

namespace millwright::onnx {

// TensorProto.DataType <-> ElementType; nullopt for types that this program does not carry (complex, 8-bit floats).
std::optional<ElementType> element_type_from(int32_t data_type);
int32_t data_type(ElementType type);

// Bits of one element of any TensorProto.DataType, those outside ElementType included; 0 for strings and unknown ones.
uint32_t element_bits(int32_t data_type);

// The product of sizes >= 0; nullopt where one is negative or the product does not fit into 63 bits.
std::optional<uint64_t> element_count(std::span<const int64_t> dims);

}  // namespace millwright::onnx
