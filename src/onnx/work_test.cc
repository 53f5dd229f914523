// SPDX-License-Identifier: Apache-2.0
#include "onnx/work.h"

#include <gtest/gtest.h>

#include <vector>

#include "onnx/graph_builder.h"

namespace millwright::onnx {
namespace {

using Builder = GraphBuilder;

Graph parsed(const Builder& builder) {
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  auto graph = Graph::parse(*bytes);
  EXPECT_TRUE(graph) << graph.error().message;
  return *std::move(graph);
}

std::string zeros(Builder& b, std::vector<int64_t> dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return b.constant(std::vector<float>(static_cast<size_t>(count)), std::move(dims));
}

// One node from a (1, 4, 8, 8) image or whatever is given to a result of a stated shape.
uint64_t multiply_adds(std::string_view op, const Shape& in, std::vector<int64_t> weights, const Shape& out,
                       std::vector<Attribute> attributes = {}) {
  Builder b("one");
  const auto x = b.input("x", ElementType::kFloat, in);
  b.output(b.node(op, {x, zeros(b, std::move(weights))}, std::move(attributes), "y"), ElementType::kFloat, out);
  const Work work = work_of(parsed(b));
  EXPECT_EQ(work.uncounted_nodes, 0U);
  return work.multiply_adds;
}

// By hand: results times what each of them sums up.
TEST(Work, CountsMultiplyAddsOfEachKindOfProduct) {
  EXPECT_EQ(multiply_adds("Conv", {1, 4, 8, 8}, {6, 4, 3, 3}, {1, 6, 6, 6}), 6U * 36 * 4 * 9);
  EXPECT_EQ(multiply_adds("Conv", {2, 4, 8, 8}, {4, 1, 3, 3}, {2, 4, 6, 6}, {Builder::attribute("group", 4)}),
            2U * 4 * 36 * 9);
  EXPECT_EQ(multiply_adds("ConvTranspose", {1, 4, 8, 8}, {4, 6, 3, 3}, {1, 6, 10, 10}), 4U * 64 * 6 * 9);
  EXPECT_EQ(multiply_adds("Gemm", {5, 7}, {7, 3}, {5, 3}), 5U * 7 * 3);
  EXPECT_EQ(multiply_adds("Gemm", {7, 5}, {7, 3}, {5, 3}, {Builder::attribute("transA", 1)}), 5U * 7 * 3);
  EXPECT_EQ(multiply_adds("MatMul", {2, 5, 7}, {7, 3}, {2, 5, 3}), 2U * 5 * 7 * 3);
  EXPECT_EQ(multiply_adds("Add", {5, 7}, {7}, {5, 7}), 0U);
}

TEST(Work, CountsARecurrentLayerOncePerStep) {
  Builder b("gru");
  const auto x = b.input("x", ElementType::kFloat, {30, 1, 14});
  b.node_n("GRU", {x, zeros(b, {1, 3 * 16, 14}), zeros(b, {1, 3 * 16, 16})}, 1, {Builder::attribute("hidden_size", 16)},
           {"y"});
  b.output("y", ElementType::kFloat, {30, 1, 1, 16});
  EXPECT_EQ(work_of(parsed(b)).multiply_adds, 30U * 3 * 16 * (14 + 16));
}

TEST(Work, AnUnknownShapeOrAHiddenProductIsNotCountedAsNothing) {
  Builder b("unknown");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 7});
  b.output(b.node("Gemm", {x, zeros(b, {7, 3})}, {}, "y"), ElementType::kFloat, {"batch", 3});
  const Work work = work_of(parsed(b));
  EXPECT_EQ(work.uncounted_nodes, 1U);
  EXPECT_FALSE(work.nodes[0].multiply_adds);
  EXPECT_FALSE(work.activation_bound);
  EXPECT_EQ(work.parameters, 21U);
  EXPECT_EQ(work.parameter_bytes, 84U);
}

// x (16 bytes) -> a (16) -> b (16), then y = a + b: while b is made x is gone, and a, b and y are held together.
TEST(Work, HoldsAValueFromItsMakerToItsLastReader) {
  Builder builder("chain");
  const auto x = builder.input("x", ElementType::kFloat, {4});
  const auto a = builder.node("Relu", {x}, {}, "a");
  const auto b = builder.node("Abs", {a}, {}, "b");
  builder.output(builder.node("Add", {a, b}, {}, "y"), ElementType::kFloat, {4});
  Graph graph = parsed(builder);
  for (const char* name : {"a", "b"}) graph.values[name] = {.name = name, .type = ElementType::kFloat, .shape = {4}};
  const Work work = work_of(graph);
  EXPECT_TRUE(work.activation_bound);
  EXPECT_EQ(work.nodes[0].live_bytes, 32U);
  EXPECT_EQ(work.nodes[1].live_bytes, 32U);
  EXPECT_EQ(work.nodes[2].live_bytes, 48U);
  EXPECT_EQ(work.activation_bytes, 48U);
  EXPECT_EQ(work.peak, 2U);
}

}  // namespace
}  // namespace millwright::onnx
