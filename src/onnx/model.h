// SPDX-License-Identifier: Apache-2.0
// Reads an ONNX model as hostile input: bounded, checked, refused with a message that says what and where.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "onnx/value.h"

namespace millwright::onnx {

// Named limits; a device profile may lower them.
struct Limits {
  uint64_t max_model_bytes = 512ULL << 20;
  uint64_t max_nodes = 20'000;
  uint64_t max_tensor_bytes = 512ULL << 20;  // one initializer or one statically known intermediate
  uint64_t max_rank = 8;
  uint64_t max_subgraph_depth = 2;
  bool allow_loops = false;   // Loop and Scan: their run time has no bound
  bool any_operator = false;  // for what our own runtime wrote, fused kernels and all; never for a model from outside
};

// What `inspect` shows.
struct Summary {
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // domain -> version; "" is ai.onnx
  std::string producer;
  std::string graph_name;
  std::vector<ValueInfo> inputs;  // without initializers
  std::vector<ValueInfo> outputs;
  std::map<std::string, uint64_t> operators;  // type -> count, subgraphs included
  uint64_t nodes = 0;
  uint64_t parameters = 0;  // elements of all initializers
  uint64_t parameter_bytes = 0;
  std::map<std::string, std::string> metadata;
};

class Model {
 public:
  // Parses and checks. kCorrupt: not an ONNX model. kTooLarge: beyond a limit. kRefused: external data, an operator
  // domain or operator that is not allowed, a constant shape that asks for too much memory. kInvalidInput: the graph
  // is not well formed (unknown tensor, cycle, duplicate name).
  static Result<Model> parse(std::span<const std::byte> bytes, const Limits& limits = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  [[nodiscard]] Summary summary() const;
  [[nodiscard]] Result<Bytes> serialize() const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

std::string_view name(ElementType type);  // "float"
size_t element_bytes(ElementType type);   // 0 for strings

}  // namespace millwright::onnx
