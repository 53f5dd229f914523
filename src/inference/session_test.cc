// SPDX-License-Identifier: Apache-2.0
#include "inference/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "onnx/graph_builder.h"

namespace millwright::inference {
namespace {

using onnx::ElementType;
using onnx::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// y = x * w + 0.5 with x (batch, 3), w (3, 2).
Bytes linear() {
  GraphBuilder b("linear");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 3});
  const std::array<float, 6> weights = {1, 2, 3, 4, 5, 6};
  const auto product = b.node("MatMul", {x, b.constant(weights, {3, 2})});
  b.output(b.node("Add", {product, b.scalar(0.5F)}, {}, "y"), ElementType::kFloat, {"batch", 2});
  return b.finish().value();
}

TEST(Session, RunsOnWhatTheInputsHold) {
  auto session = Session::create(linear(), 2);
  ASSERT_TRUE(session.has_value()) << session.error().message;
  EXPECT_THAT(session->inputs()[0].shape, ElementsAre(2, 3));
  EXPECT_THAT(session->outputs()[0].shape, ElementsAre(2, 2));
  const std::array<float, 6> x = {1, 0, 0, 1, 1, 1};
  std::ranges::copy(x, session->input_floats().begin());
  ASSERT_TRUE(session->run()) << session->last_error();
  EXPECT_THAT(session->output_floats(), ElementsAre(1.5F, 2.5F, 9.5F, 12.5F));
  EXPECT_EQ(session->provider(), Provider::kCpu);
}

TEST(Session, MemoryStaysWhereItIsOverRunsAndMoves) {
  auto made = Session::create(linear(), 1);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const void* input = made->inputs()[0].data.data();
  const void* output = made->outputs()[0].data.data();
  Session session = std::move(*made);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session.run());
  EXPECT_EQ(session.inputs()[0].data.data(), input);
  EXPECT_EQ(session.outputs()[0].data.data(), output);
}

TEST(Session, AnOpenDimensionOtherThanTheBatchIsRefusedByName) {
  GraphBuilder b("open");
  const auto x = b.input("x", ElementType::kFloat, {"batch", "time"});
  b.output(b.node("Relu", {x}, {}, "y"), ElementType::kFloat, {"batch", "time"});
  const auto session = Session::create(b.finish().value(), 1);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(session.error().message, HasSubstr("'time'"));
}

TEST(Session, AFixedBatchOtherThanTheOneWantedIsRefused) {
  GraphBuilder b("fixed");
  const auto x = b.input("x", ElementType::kFloat, {4, 2});
  b.output(b.node("Relu", {x}, {}, "y"), ElementType::kFloat, {4, 2});
  const auto session = Session::create(b.finish().value(), 8);
  ASSERT_FALSE(session.has_value());
  EXPECT_THAT(session.error().message, HasSubstr("fixed first dimension of 4"));
}

TEST(Session, AnOutputShapeThatTheGraphDoesNotTellIsMeasured) {
  GraphBuilder b("reshape");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 4});
  const auto shape = b.node("Shape", {x});
  b.output(b.node("Reshape", {x, shape}, {}, "y"), ElementType::kFloat, {"n", "m"});
  auto session = Session::create(b.finish().value(), 3);
  ASSERT_TRUE(session.has_value()) << session.error().message;
  EXPECT_THAT(session->outputs()[0].shape, ElementsAre(3, 4));
  EXPECT_TRUE(session->run()) << session->last_error();
}

TEST(Session, AModelThatONNXRuntimeRefusesSaysWhy) {
  GraphBuilder b("mismatch");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 4});
  const std::array<float, 6> weights = {};
  b.output(b.node("MatMul", {x, b.constant(weights, {3, 2})}, {}, "y"), ElementType::kFloat, {"batch", 2});
  const auto session = Session::create(b.finish_unchecked(), 1);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().message.find('\n'), std::string::npos);
}

TEST(Session, AFailedRunIsReportedAndTheNextOneWorks) {
  GraphBuilder b("gather");
  const auto x = b.input("x", ElementType::kInt64, {1});
  const std::array<float, 3> table = {10, 20, 30};
  b.output(b.node("Gather", {b.constant(table, {3}), x}, {}, "y"), ElementType::kFloat, {1});
  auto session = Session::create(b.finish().value(), 1);
  ASSERT_TRUE(session.has_value()) << session.error().message;
  auto* index = reinterpret_cast<int64_t*>(session->inputs()[0].data.data());
  *index = 17;
  EXPECT_FALSE(session->run());
  EXPECT_THAT(session->last_error(), HasSubstr("ONNX Runtime"));
  *index = 2;
  ASSERT_TRUE(session->run());
  EXPECT_THAT(session->output_floats(), ElementsAre(30.0F));
}

TEST(Session, BytesThatAreNoModelAreRefused) {
  const auto session = Session::create(std::as_bytes(std::span("hello, this is not a model")), 1);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kCorrupt);
}

TEST(Session, TheLibraryIsThePinnedOne) { EXPECT_THAT(runtime_version(), ::testing::StartsWith("1.")); }

}  // namespace
}  // namespace millwright::inference
