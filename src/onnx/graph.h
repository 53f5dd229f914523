// SPDX-License-Identifier: Apache-2.0
// An ONNX graph that can be edited: nodes, constants and values as plain structs. What it does not model (subgraphs,
// types that it does not carry, functions, documentation of the model) is kept as it was read and written back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "onnx/model.h"
#include "onnx/value.h"

namespace millwright::onnx {

// A constant. `data` is row-major and little-endian, element_count(dims) elements of `type`.
struct Tensor {
  ElementType type = ElementType::kFloat;
  std::vector<int64_t> dims;
  Bytes data;
  std::string other;  // the whole message, where its type is none that we carry or it is text; it can only be passed on

  [[nodiscard]] size_t elements() const;
  // A bug where it is of another type.
  [[nodiscard]] std::span<const float> floats() const;
  [[nodiscard]] std::span<float> floats();
  [[nodiscard]] std::span<const int64_t> ints() const;
};
Tensor tensor(std::span<const float> values, std::vector<int64_t> dims);
Tensor tensor(std::span<const int64_t> values, std::vector<int64_t> dims);
Tensor tensor(std::span<const int32_t> values, std::vector<int64_t> dims);
Tensor tensor(std::span<const int8_t> values, std::vector<int64_t> dims);
Tensor tensor(std::span<const uint8_t> values, std::vector<int64_t> dims);

struct Node {
  std::string name;
  std::string op;
  std::string domain;                // "" is ai.onnx
  std::vector<std::string> inputs;   // an empty name: left out
  std::vector<std::string> outputs;  // an empty name: nobody wants it
  std::vector<Attribute> attributes;
  std::set<std::string> captured;  // names of this graph that its subgraphs use
  std::string documentation;

  [[nodiscard]] const Attribute* find(std::string_view attribute) const;
  [[nodiscard]] int64_t int_or(std::string_view attribute, int64_t otherwise) const;
  [[nodiscard]] float float_or(std::string_view attribute, float otherwise) const;
  [[nodiscard]] std::vector<int64_t> ints_or(std::string_view attribute, std::vector<int64_t> otherwise) const;
  void set(Attribute attribute);  // replaces one of the same name
  void remove(std::string_view attribute);
  // "node 'fc1' (Gemm)", fit for a one-line message.
  [[nodiscard]] std::string describe() const;
};

class Graph {
 public:
  // Reads and checks as Model::parse does, with its errors.
  static Result<Graph> parse(std::span<const std::byte> bytes, const Limits& limits = {});
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;
  [[nodiscard]] Graph copy() const;

  // Puts nodes into an order in which each comes after those that make its inputs, writes the model and checks it as
  // Model::parse does. Equal graphs give equal bytes.
  [[nodiscard]] Result<Bytes> serialize(const Limits& limits = {}) const;

  // For who infers types: every value is an output, those that `values` does not know without a type. Not checked.
  [[nodiscard]] Bytes serialize_open() const;

  std::vector<Node> nodes;
  std::map<std::string, Tensor, std::less<>> constants;
  std::vector<ValueInfo> inputs;  // without constants
  std::vector<ValueInfo> outputs;
  // Types and shapes of what lies between, as far as the file states them. Whoever changes a shape removes its entry.
  std::map<std::string, ValueInfo, std::less<>> values;
  std::map<std::string, std::string> metadata;

  [[nodiscard]] int64_t opset(std::string_view domain = "") const;  // 0: not imported
  void set_opset(std::string_view domain, int64_t version);
  // Forgets imports, the default domain's aside, that no node needs; subgraphs keep all.
  void drop_unused_domains();

  // The constant of this name; nullptr: it is none.
  [[nodiscard]] const Tensor* constant(std::string_view name) const;
  // A name that nothing in the graph has, made from `stem`. Reserves it.
  [[nodiscard]] std::string fresh_name(std::string_view stem);
  // Type and shape of an input, an output or what lies between; nullptr: the file does not say.
  [[nodiscard]] const ValueInfo* value(std::string_view name) const;

 private:
  struct Rest;
  struct Written;
  explicit Graph(std::unique_ptr<Rest> rest);
  [[nodiscard]] Written write() const;
  std::unique_ptr<Rest> rest_;
};

// Who makes and who reads each value, as the graph stands when it is made.
class Wiring {
 public:
  explicit Wiring(const Graph& graph);
  // Index into graph.nodes; nullopt: an input, a constant, or nobody.
  [[nodiscard]] std::optional<size_t> maker(std::string_view value) const;
  // Every reading, once for each input that it is; subgraphs count.
  [[nodiscard]] std::span<const size_t> readers(std::string_view value) const;
  [[nodiscard]] bool is_output(std::string_view value) const { return outputs_.contains(value); }

 private:
  std::map<std::string, size_t, std::less<>> makers_;
  std::map<std::string, std::vector<size_t>, std::less<>> readers_;
  std::set<std::string, std::less<>> outputs_;
};

// Takes out nodes whose results nobody wants, then constants that nobody reads.
void remove_unused(Graph& graph);

}  // namespace millwright::onnx
