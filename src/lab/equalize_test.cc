// SPDX-License-Identifier: Apache-2.0
#include "lab/equalize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lab/compare.h"
#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using Builder = onnx::GraphBuilder;
constexpr size_t kChannels = 6;

// Conv, `between`, depthwise Conv, Relu, Conv; channel i of the first is 4^i times as large as it need be.
Bytes uneven(const std::string& between) {
  Builder b("uneven", 17);
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const auto pads = Builder::attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  const auto kernel = Builder::attribute("kernel_shape", std::vector<int64_t>{3, 3});
  auto first = weights(kChannels * 2 * 9, 1);
  float factor = 1.0F;
  for (size_t i = 0; i < first.size(); ++i) {
    if (i != 0 && i % 18 == 0) factor *= 4.0F;
    first[i] *= factor / 64.0F;
  }
  auto h = b.node("Conv", {x, b.constant(first, {6, 2, 3, 3}), b.constant(weights(6, 2), {6})}, {pads, kernel});
  if (!between.empty()) h = b.node(between, {h});
  h = b.node("Conv", {h, b.constant(weights(kChannels * 9, 3), {6, 1, 3, 3}), b.constant(weights(6, 4), {6})},
             {pads, kernel, Builder::attribute("group", int64_t{6})});
  h = b.node("Relu", {h});
  b.output(b.node("Conv", {h, b.constant(weights(4 * kChannels * 9, 5), {4, 6, 3, 3})}, {pads, kernel}, "y"),
           onnx::ElementType::kFloat, {"batch", 4, 8, 8});
  auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

Bytes gemms(int64_t transposed) {
  Builder b("gemms", 17);
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 5});
  const auto w1 = b.constant(weights(40, 1), {5, 8});
  const auto h = b.node("Relu", {b.node("Gemm", {x, w1, b.constant(weights(8, 2), {8})})});
  const auto w2 = b.constant(weights(24, 3), transposed != 0 ? std::vector<int64_t>{3, 8} : std::vector<int64_t>{8, 3});
  b.output(b.node("Gemm", {h, w2, b.constant(weights(3, 4), {3})}, {Builder::attribute("transB", transposed)}, "y"),
           onnx::ElementType::kFloat, {"batch", 3});
  auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

// How many pairs, and how far the answers of both are from each other.
std::pair<size_t, double> after(const Bytes& before, std::vector<int64_t> shape) {
  auto graph = onnx::Graph::parse(before);
  EXPECT_TRUE(graph) << graph.error().message;
  const size_t pairs = equalize(*graph);
  const auto model = graph->serialize();
  EXPECT_TRUE(model) << model.error().message;
  FakeDataset samples(32, std::move(shape), 9);
  const auto cost = compare_models(before, *model, samples);
  EXPECT_TRUE(cost) << cost.error().message;
  EXPECT_EQ(pairs == 0, *model == *onnx::Graph::parse(before)->serialize());
  return {pairs, cost->max_abs_diff};
}

TEST(Equalize, TheGraphSaysTheSame) {
  for (const std::string between : {"", "Relu"}) {
    const auto [pairs, difference] = after(uneven(between), {2, 8, 8});
    EXPECT_EQ(pairs, 2U);
    EXPECT_LE(difference, 1e-4);
  }
  for (const int64_t transposed : {0, 1}) {
    const auto [pairs, difference] = after(gemms(transposed), {5});
    EXPECT_EQ(pairs, 1U);
    EXPECT_LE(difference, 1e-4);
  }
}

// A Sigmoid of a multiple is not the multiple of the Sigmoid; a value that two read belongs to no pair.
TEST(Equalize, OnlyWhereAMultipleGoesThrough) {
  EXPECT_EQ(after(uneven("Sigmoid"), {2, 8, 8}).first, 1U);
  EXPECT_EQ(after(residual_network(), {2, 8, 8}).first, 0U);
}

TEST(Equalize, ChannelsOfBothSidesHaveTheSameSize) {
  auto graph = onnx::Graph::parse(gemms(0));
  ASSERT_TRUE(graph);
  ASSERT_EQ(equalize(*graph), 1U);
  const auto& first = graph->constants.at(graph->nodes[0].inputs[1]);
  const auto& second = graph->constants.at(graph->nodes[2].inputs[1]);
  for (size_t c = 0; c < 8; ++c) {
    float made = 0.0F;
    float read = 0.0F;
    for (size_t i = 0; i < 5; ++i) made = std::max(made, std::abs(first.floats()[i * 8 + c]));
    for (size_t i = 0; i < 3; ++i) read = std::max(read, std::abs(second.floats()[c * 3 + i]));
    EXPECT_NEAR(made, read, 1e-3F * made);
  }
}

}  // namespace
}  // namespace millwright::lab
