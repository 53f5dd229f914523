// SPDX-License-Identifier: Apache-2.0
#include "onnx/graph_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "onnx/model.h"

namespace millwright::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

GraphBuilder linear() {
  GraphBuilder b("linear");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 3});
  const std::array<float, 6> weights = {1, 2, 3, 4, 5, 6};
  const auto product = b.node("MatMul", {x, b.constant(weights, {3, 2})});
  const auto y = b.node("Add", {product, b.scalar(0.5F)}, {}, "y");
  b.output(y, ElementType::kFloat, {"batch", 2});
  b.metadata("detector", "test");
  return b;
}

TEST(GraphBuilder, SameCallsGiveSameBytes) {
  const auto first = linear().finish();
  const auto second = linear().finish();
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(*first, *second);
}

TEST(GraphBuilder, WhatWasBuiltIsReadBack) {
  const auto bytes = linear().finish();
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const auto model = Model::parse(*bytes);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const Summary s = model->summary();
  EXPECT_EQ(s.ir_version, 8);
  EXPECT_THAT(s.opsets, ElementsAre(Pair("", 17)));
  EXPECT_EQ(s.graph_name, "linear");
  EXPECT_EQ(s.producer, "millwright");
  ASSERT_EQ(s.inputs.size(), 1U);
  EXPECT_EQ(s.inputs[0].name, "x");
  ASSERT_EQ(s.inputs[0].shape.size(), 2U);
  EXPECT_EQ(s.inputs[0].shape[0].name, "batch");
  EXPECT_EQ(s.inputs[0].shape[1].size, 3);
  ASSERT_EQ(s.outputs.size(), 1U);
  EXPECT_EQ(s.outputs[0].name, "y");
  EXPECT_EQ(s.nodes, 2U);
  EXPECT_EQ(s.parameters, 7U);
  EXPECT_EQ(s.parameter_bytes, 28U);
  EXPECT_THAT(s.operators, UnorderedElementsAre(Pair("MatMul", 1U), Pair("Add", 1U)));
  EXPECT_THAT(s.metadata, ElementsAre(Pair("detector", "test")));
  EXPECT_EQ(*model->serialize(), *bytes);
}

TEST(GraphBuilder, FreshNamesAvoidTheUsersNames) {
  GraphBuilder b("names");
  const auto x = b.input("t0", ElementType::kFloat, {2});
  const auto one = b.node("Relu", {x});
  EXPECT_NE(one, "t0");
  b.output(one, ElementType::kFloat, {2});
  EXPECT_TRUE(b.finish().has_value());
}

TEST(GraphBuilder, AConstantWhoseShapeIsNotItsSizeIsRefused) {
  GraphBuilder b("bad");
  const auto x = b.input("x", ElementType::kFloat, {2});
  const std::array<float, 3> three = {1, 2, 3};
  b.output(b.node("Add", {x, b.constant(three, {2}, "w")}), ElementType::kFloat, {2});
  const auto bytes = b.finish();
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(bytes.error().message, HasSubstr("initializer 'w'"));
}

TEST(GraphBuilder, AnInputThatNothingMakesIsRefused) {
  GraphBuilder b("bad");
  b.input("x", ElementType::kFloat, {2});
  b.output(b.node("Relu", {"z"}), ElementType::kFloat, {2});
  const auto bytes = b.finish();
  ASSERT_FALSE(bytes.has_value());
  EXPECT_THAT(bytes.error().message, HasSubstr("nothing makes its input 'z'"));
}

TEST(GraphBuilder, OtherDomainsAreImported) {
  GraphBuilder b("forest");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 2});
  const auto y = b.node_n("Scaler", {x}, 1,
                          {GraphBuilder::attribute("offset", std::vector<float>{0, 0}),
                           GraphBuilder::attribute("scale", std::vector<float>{1, 1})},
                          {"y"}, "ai.onnx.ml");
  b.output(y[0], ElementType::kFloat, {"batch", 2});
  const auto bytes = b.finish();
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_THAT(Model::parse(*bytes)->summary().opsets, UnorderedElementsAre(Pair("", 17), Pair("ai.onnx.ml", 3)));
}

}  // namespace
}  // namespace millwright::onnx
