// SPDX-License-Identifier: Apache-2.0
// A small network and samples for it, so that tests of quantising need no file.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "onnx/graph_builder.h"
#include "recording/dataset.h"

namespace millwright::lab {

// Samples in memory.
class FakeDataset final : public recording::Dataset {
 public:
  FakeDataset(size_t count, std::vector<int64_t> shape, uint64_t seed) : count_(count), shape_(std::move(shape)) {
    Random random(seed);
    samples.resize(count * values());
    for (float& value : samples) value = static_cast<float>(random.normal());
  }
  [[nodiscard]] size_t size() const override { return count_; }
  [[nodiscard]] const std::vector<int64_t>& shape() const override { return shape_; }
  Status read(size_t index, std::span<float> out) override {
    std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(index * out.size()), out.size(), out.begin());
    return {};
  }
  Result<std::string> digest() override { return std::string("fake"); }

  std::vector<float> samples;

 private:
  size_t count_;
  std::vector<int64_t> shape_;
};

inline std::vector<float> weights(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> out(count);
  for (float& value : out) value = static_cast<float>(random.normal() * 0.3);
  return out;
}

// Conv, Relu, Conv beside it, Add, Relu, MaxPool, Flatten, Gemm: what residual networks are made of. x (batch, 2, 8, 8)
// gives y (batch, 5).
inline Bytes residual_network(int64_t opset = 17) {
  using Builder = onnx::GraphBuilder;
  Builder b("residual", opset);
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const std::vector<Builder::Attribute> padded = {Builder::attribute("pads", std::vector<int64_t>{1, 1, 1, 1}),
                                                  Builder::attribute("kernel_shape", std::vector<int64_t>{3, 3})};
  const auto conv = [&](const std::string& from, int64_t in, uint64_t seed) {
    return b.node("Conv",
                  {from, b.constant(weights(static_cast<size_t>(4 * in * 9), seed), {4, in, 3, 3}),
                   b.constant(weights(4, seed + 1), {4})},
                  padded);
  };
  const auto first = b.node("Relu", {conv(x, 2, 1)});
  const auto sum = b.node("Add", {conv(first, 4, 3), first});
  const auto pooled = b.node("MaxPool", {b.node("Relu", {sum})},
                             {Builder::attribute("kernel_shape", std::vector<int64_t>{2, 2}),
                              Builder::attribute("strides", std::vector<int64_t>{2, 2})});
  const auto flat = b.node("Flatten", {pooled});
  b.output(b.node("Gemm", {flat, b.constant(weights(64 * 5, 5), {64, 5}), b.constant(weights(5, 6), {5})}, {}, "y"),
           onnx::ElementType::kFloat, {"batch", 5});
  auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

}  // namespace millwright::lab
