// SPDX-License-Identifier: Apache-2.0
// Hostile models for tests. Those that the builder cannot say, it being unable to nest graphs, are written field by
// field.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "onnx/graph_builder.h"

namespace millwright::onnx::evil {

// A protobuf message under construction.
class Message {
 public:
  Message& number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3U);
    varint(value);
    return *this;
  }
  Message& text(uint32_t field, std::string_view bytes) {
    varint((uint64_t{field} << 3U) | 2U);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& message(uint32_t field, const Message& nested) { return text(field, nested.bytes_); }
  [[nodiscard]] Bytes bytes() const {
    const auto raw = std::as_bytes(std::span(bytes_));
    return {raw.begin(), raw.end()};
  }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// A ValueInfoProto: element type as ONNX numbers it, fixed sizes.
inline Message value(std::string_view name, int type, std::initializer_list<int64_t> sizes) {
  Message shape;
  for (const int64_t size : sizes) shape.message(1, Message().number(1, static_cast<uint64_t>(size)));
  return Message().text(1, name).message(
      2, Message().message(1, Message().number(1, static_cast<uint64_t>(type)).message(2, shape)));
}

inline Message node(std::string_view op, std::initializer_list<std::string_view> inputs,
                    std::initializer_list<std::string_view> outputs) {
  Message out;
  for (const auto input : inputs) out.text(1, input);
  for (const auto output : outputs) out.text(2, output);
  return out.text(4, op);
}

inline Bytes model(const Message& graph) {
  return Message().number(1, 8).message(7, graph).message(8, Message().text(1, "").number(2, 17)).bytes();
}

// 2^62 rounds of nothing: about 300 bytes that never return.
inline Bytes endless_loop() {
  const Message body = Message()
                           .message(1, node("Identity", {"more"}, {"go_on"}))
                           .message(1, node("Identity", {"state"}, {"next"}))
                           .text(2, "body")
                           .message(11, value("round", 7, {}))
                           .message(11, value("more", 9, {}))
                           .message(11, value("state", 1, {1, 4}))
                           .message(12, value("go_on", 9, {}))
                           .message(12, value("next", 1, {1, 4}));
  Message loop = node("Loop", {"rounds", "yes", "x"}, {"y"});
  loop.message(5, Message().text(1, "body").message(6, body).number(20, 5));
  return model(Message()
                   .message(1, loop)
                   .text(2, "endless")
                   .message(5, Message().number(2, 7).number(7, 1ULL << 62U).text(8, "rounds"))
                   .message(5, Message().number(2, 9).number(5, 1).text(8, "yes"))
                   .message(11, value("x", 1, {1, 4}))
                   .message(12, value("y", 1, {1, 4})));
}

// Asks for 1.6 TB by a constant shape.
inline Bytes constant_bomb() {
  GraphBuilder b("bomb");
  b.input("x", ElementType::kFloat, {4});
  const std::array<int64_t, 3> sizes = {100'000, 100'000, 40};
  b.output(b.node("ConstantOfShape", {b.constant(sizes, {3})}, {}, "y"), ElementType::kFloat, {"a", "b", "c"});
  return b.finish_unchecked();
}

// Grows its input by 2^24 once its values are seen: no static check can know.
inline Bytes dynamic_bomb() {
  GraphBuilder b("dynamic");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 4});
  // |x| * 0 + 4096 of each element: a shape (4096, 4096, 4096, 4096) that is known only when it runs.
  const auto sizes = b.node("Add", {b.node("Mul", {b.node("Abs", {x}), b.scalar(0.0F)}), b.scalar(4096.0F)});
  const std::array<int64_t, 1> flat = {4};
  const auto shape =
      b.node("Cast", {b.node("Reshape", {sizes, b.constant(flat, {1})})}, {GraphBuilder::attribute("to", 7)});
  const auto big = b.node("Expand", {b.scalar(1.0F), shape});
  b.output(b.node("ReduceSum", {big}, {GraphBuilder::attribute("keepdims", 0)}, "y"), ElementType::kFloat, {});
  return b.finish_unchecked();
}

// log(x) of what is not positive.
inline Bytes not_a_number(int64_t features) {
  GraphBuilder b("nan");
  const auto x = b.input("x", ElementType::kFloat, {"batch", features});
  b.output(b.node("Log", {x}, {}, "y"), ElementType::kFloat, {"batch", features});
  return b.finish_unchecked();
}

// A weight whose bytes are to be read from another file.
inline Bytes external_data(std::string_view location) {
  const Message weight = Message()
                             .number(1, 4)
                             .number(2, 1)
                             .text(8, "w")
                             .message(13, Message().text(1, "location").text(2, location))
                             .number(14, 1);
  return model(Message()
                   .message(1, node("Add", {"x", "w"}, {"y"}))
                   .text(2, "external")
                   .message(5, weight)
                   .message(11, value("x", 1, {4}))
                   .message(12, value("y", 1, {4})));
}

// An operator of a domain that nobody knows.
inline Bytes custom_operator() {
  return Message()
      .number(1, 8)
      .message(7, Message()
                      .message(1, node("Evil", {"x"}, {"y"}).text(7, "evil"))
                      .text(2, "custom")
                      .message(11, value("x", 1, {4}))
                      .message(12, value("y", 1, {4})))
      .message(8, Message().text(1, "").number(2, 17))
      .message(8, Message().text(1, "evil").number(2, 1))
      .bytes();
}

// A chain that takes seconds to load.
inline Bytes long_chain(size_t nodes) {
  GraphBuilder b("long");
  std::string at = b.input("x", ElementType::kFloat, {4});
  for (size_t i = 0; i < nodes; ++i) at = b.node("Identity", {at});
  b.output(at, ElementType::kFloat, {4});
  return b.finish_unchecked();
}

}  // namespace millwright::onnx::evil
