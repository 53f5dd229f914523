// SPDX-License-Identifier: Apache-2.0
// Builds an ONNX model node by node and writes it. How detectors and test models are made; no protobuf type shows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "onnx/value.h"

namespace millwright::onnx {

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string graph_name, int64_t opset = 17);
  ~GraphBuilder();
  GraphBuilder(GraphBuilder&&) noexcept;
  GraphBuilder& operator=(GraphBuilder&&) noexcept;

  // Graph inputs and outputs, in order. Each returns the name, so that calls nest.
  std::string input(std::string name, ElementType type, Shape shape);
  void output(std::string name, ElementType type, Shape shape);

  // Constant tensors; the name is made unique by a counter where it is empty.
  std::string constant(std::span<const float> values, std::vector<int64_t> dims, std::string name = "");
  std::string constant(std::span<const int64_t> values, std::vector<int64_t> dims, std::string name = "");
  std::string scalar(float value);

  using Attribute = onnx::Attribute;
  static Attribute attribute(std::string name, int64_t value);
  static Attribute attribute(std::string name, int value) { return attribute(std::move(name), int64_t{value}); }
  static Attribute attribute(std::string name, float value);
  static Attribute attribute(std::string name, std::string value);
  static Attribute attribute(std::string name, std::vector<int64_t> values);
  static Attribute attribute(std::string name, std::vector<float> values);
  static Attribute attribute(std::string name, std::vector<std::string> values);

  // Adds a node with one output and returns its name; `result` empty: a fresh one.
  std::string node(std::string_view op, std::vector<std::string> inputs, std::vector<Attribute> attributes = {},
                   std::string result = "");
  // The same with several outputs.
  std::vector<std::string> node_n(std::string_view op, std::vector<std::string> inputs, size_t outputs,
                                  std::vector<Attribute> attributes = {}, std::vector<std::string> results = {},
                                  std::string_view domain = "");

  void metadata(std::string key, std::string value);

  // The serialised model; the same calls give the same bytes. Checked as Model::parse
  // checks before it is returned, with its errors.
  [[nodiscard]] Result<Bytes> finish() const;
  // The same bytes without the check: for tests of those who must refuse a bad model.
  [[nodiscard]] Bytes finish_unchecked() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millwright::onnx
