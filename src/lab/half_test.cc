// SPDX-License-Identifier: Apache-2.0
#include "lab/half.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/compare.h"
#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;

TEST(Half, TheAnswerStaysAndConstantsTakeHalfTheRoom) {
  const Bytes before = residual_network();
  FakeDataset samples(16, {2, 8, 8}, 7);
  const auto half = to_half(before, samples);
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_TRUE(half->left_float.empty());
  EXPECT_LT(half->model.size(), before.size());
  const auto cost = compare_models(before, half->model, samples);
  ASSERT_TRUE(cost) << cost.error().message;
  EXPECT_EQ(cost->agreement, 1.0);
  EXPECT_GT(cost->max_abs_diff, 0.0);
  EXPECT_LT(cost->max_abs_diff, 0.05);
}

TEST(Half, InputsAndOutputsKeepNameAndType) {
  FakeDataset samples(4, {2, 8, 8}, 7);
  const auto half = to_half(residual_network(), samples);
  ASSERT_TRUE(half);
  const auto graph = onnx::Graph::parse(half->model);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->inputs.front().name, "x");
  EXPECT_EQ(graph->inputs.front().type, onnx::ElementType::kFloat);
  EXPECT_EQ(graph->outputs.front().name, "y");
  EXPECT_EQ(graph->outputs.front().type, onnx::ElementType::kFloat);
}

TEST(Half, WhatIsTooLargeStaysInFloat) {
  FakeDataset samples(4, {2, 8, 8}, 7);
  for (float& value : samples.samples) value *= 1e5F;
  const auto half = to_half(residual_network(), samples);
  if (half) {
    EXPECT_FALSE(half->left_float.empty());
    EXPECT_THAT(half->left_float.front().why, HasSubstr("too large"));
    const auto cost = compare_models(residual_network(), half->model, samples);
    ASSERT_TRUE(cost) << cost.error().message;
    EXPECT_GE(cost->agreement, 0.75);
  } else {
    EXPECT_THAT(half.error().message, HasSubstr("too large"));
  }
}

}  // namespace
}  // namespace millwright::lab
