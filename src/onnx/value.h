// SPDX-License-Identifier: Apache-2.0
// What the parts of an ONNX graph are made of: element types, shapes, attributes, named values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millwright::onnx {

// A dimension is a size, or a name ("batch") for one that is known only at run time.
struct Dim {
  int64_t size = -1;
  std::string name;
  Dim(int64_t fixed) : size(fixed) {}                   // NOLINT(google-explicit-constructor): {"batch", 64} reads well
  Dim(const char* symbol) : name(symbol) {}             // NOLINT(google-explicit-constructor)
  Dim(std::string symbol) : name(std::move(symbol)) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const Dim&) const = default;
};
using Shape = std::vector<Dim>;

enum class ElementType {
  kFloat,
  kDouble,
  kInt64,
  kInt32,
  kInt8,
  kUint8,
  kBool,
  kFloat16,
  kString,
  kInt16,
  kUint16,
  kUint32,
  kUint64,
  kBfloat16,
};

struct ValueInfo {
  std::string name;
  ElementType type = ElementType::kFloat;
  Shape shape;
};

struct Attribute {
  std::string name;
  // kOther: a tensor, a graph or what else there may be, as it was read.
  enum class Kind { kInt, kFloat, kString, kInts, kFloats, kStrings, kOther } kind = Kind::kInt;
  int64_t i = 0;
  float f = 0.0F;
  std::string s;  // kOther: the attribute's own message
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string> strings;
};

}  // namespace millwright::onnx
