// SPDX-License-Identifier: Apache-2.0
#include "onnx/wire_scan.h"

#include <array>
#include <optional>
#include <string_view>

namespace millwright::onnx {
namespace {

enum class Kind : uint8_t {
  kLeaf,     // a string, or packed numbers
  kOther,    // a message whose own fields are only counted
  kRefused,  // a message that this program does not take
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kValueInfo,
  kType,
  kTensorType,
  kSequenceType,
  kMapType,
  kShape,
};

// Which field of which message holds which message (onnx.proto).
struct Field {
  Kind parent;
  uint32_t number;
  Kind child;
  std::string_view refusal = {};
};
constexpr std::array kFields = {
    Field{Kind::kModel, 7, Kind::kGraph},
    Field{Kind::kModel, 8, Kind::kOther},
    Field{Kind::kModel, 14, Kind::kOther},
    Field{Kind::kModel, 20, Kind::kRefused, "training information; export the model for inference"},
    Field{Kind::kModel, 25, Kind::kRefused, "functions of its own; inline them before export"},
    Field{Kind::kGraph, 1, Kind::kNode},
    Field{Kind::kGraph, 5, Kind::kTensor},
    Field{Kind::kGraph, 11, Kind::kValueInfo},
    Field{Kind::kGraph, 12, Kind::kValueInfo},
    Field{Kind::kGraph, 13, Kind::kValueInfo},
    Field{Kind::kGraph, 14, Kind::kOther},
    Field{Kind::kGraph, 15, Kind::kRefused, "sparse initializers; store them dense"},
    Field{Kind::kNode, 5, Kind::kAttribute},
    Field{Kind::kAttribute, 5, Kind::kTensor},
    Field{Kind::kAttribute, 6, Kind::kGraph},
    Field{Kind::kAttribute, 10, Kind::kTensor},
    Field{Kind::kAttribute, 11, Kind::kGraph},
    Field{Kind::kAttribute, 14, Kind::kType},
    Field{Kind::kAttribute, 15, Kind::kType},
    Field{Kind::kAttribute, 22, Kind::kRefused, "a sparse tensor; store it dense"},
    Field{Kind::kAttribute, 23, Kind::kRefused, "sparse tensors; store them dense"},
    Field{Kind::kTensor, 13, Kind::kOther},
    Field{Kind::kValueInfo, 2, Kind::kType},
    Field{Kind::kType, 1, Kind::kTensorType},
    Field{Kind::kType, 4, Kind::kSequenceType},
    Field{Kind::kType, 5, Kind::kMapType},
    Field{Kind::kType, 8, Kind::kTensorType},
    Field{Kind::kType, 9, Kind::kSequenceType},
    Field{Kind::kTensorType, 2, Kind::kShape},
    Field{Kind::kSequenceType, 1, Kind::kType},
    Field{Kind::kMapType, 2, Kind::kType},
    Field{Kind::kShape, 1, Kind::kOther},
};
constexpr Field kLeafField{Kind::kLeaf, 0, Kind::kLeaf};

const Field& field_of(Kind parent, uint32_t number) {
  for (const Field& field : kFields) {
    if (field.parent == parent && field.number == number) return field;
  }
  return kLeafField;
}

class Scanner {
 public:
  Scanner(std::span<const std::byte> bytes, uint64_t max_nodes) : bytes_(bytes), max_nodes_(max_nodes) {}

  // Parents come before their children: an explicit stack, since the input chooses the depth.
  Result<WireCounts> scan() {
    struct Frame {
      size_t end;
      Kind kind;
    };
    std::array<Frame, kMaxWireDepth> stack{};
    stack[0] = {bytes_.size(), Kind::kModel};
    size_t depth = 1;
    while (depth > 0) {
      const Frame frame = stack[depth - 1];
      if (at_ == frame.end) {
        --depth;
        continue;
      }
      const Kind parent = frame.kind;
      const auto field = MW_TRY(next_field(parent, frame.end));
      if (!field.has_value()) continue;
      if (depth == stack.size()) {
        return fail(ErrorCode::kTooLarge, "model: messages nest deeper than {} at byte {}", kMaxWireDepth, at_);
      }
      stack[depth++] = {at_ + field->length, field->kind};
    }
    return counts_;
  }

 private:
  struct Nested {
    size_t length;
    Kind kind;
  };

  std::unexpected<Error> corrupt() const {
    return fail(ErrorCode::kCorrupt, "model: not an ONNX file, or cut short: no valid protobuf field at byte {}", at_);
  }

  Result<uint64_t> varint(size_t end) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= end) return corrupt();
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return corrupt();
  }

  // Passes one field; the nested message to descend into, if it is one.
  Result<std::optional<Nested>> next_field(Kind parent, size_t end) {
    const uint64_t key = MW_TRY(varint(end));
    const auto number = static_cast<uint32_t>(key >> 3U);
    if (number == 0 || key > UINT32_MAX) return corrupt();
    switch (key & 7U) {
      case 0: static_cast<void>(MW_TRY(varint(end))); return std::nullopt;
      case 1: return skip(8, end);
      case 5: return skip(4, end);
      case 2: return delimited(parent, number, end);
      default: return corrupt();  // groups: ONNX has none
    }
  }

  Result<std::optional<Nested>> skip(uint64_t length, size_t end) {
    if (length > end - at_) return corrupt();
    at_ += length;
    return std::nullopt;
  }

  Result<std::optional<Nested>> delimited(Kind parent, uint32_t number, size_t end) {
    const uint64_t length = MW_TRY(varint(end));
    if (length > end - at_) return corrupt();
    if (++counts_.records > kMaxWireRecords) {
      return fail(ErrorCode::kTooLarge, "model: more than {} records (names, attributes, tensors)", kMaxWireRecords);
    }
    const Field& field = field_of(parent, number);
    const Kind child = field.child;
    if (child == Kind::kRefused)
      return fail(ErrorCode::kUnsupported, "model: at byte {} it has {}", at_, field.refusal);
    if (child == Kind::kNode && ++counts_.nodes > max_nodes_) {
      return fail(ErrorCode::kTooLarge, "model: more than the limit of {} nodes", max_nodes_);
    }
    if (child == Kind::kLeaf) return skip(length, end);
    return std::optional(Nested{length, child});
  }

  std::span<const std::byte> bytes_;
  uint64_t max_nodes_;
  size_t at_ = 0;
  WireCounts counts_;
};

}  // namespace

Result<WireCounts> scan_wire(std::span<const std::byte> bytes, uint64_t max_nodes) {
  return Scanner(bytes, max_nodes).scan();
}

}  // namespace millwright::onnx
