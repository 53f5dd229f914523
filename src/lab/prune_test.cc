// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/compare.h"
#include "lab/quantize_fixture.h"
#include "onnx/graph.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;
using Builder = onnx::GraphBuilder;

// Two branches, one depthwise, joined by Concat; then a layer that reads both.
Bytes branches() {
  Builder b("branches");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const std::vector<Builder::Attribute> padded = {Builder::attribute("pads", std::vector<int64_t>{1, 1, 1, 1}),
                                                  Builder::attribute("kernel_shape", std::vector<int64_t>{3, 3})};
  auto depthwise = padded;
  depthwise.push_back(Builder::attribute("group", 6));
  const auto left = b.node("Relu", {b.node("Conv", {x, b.constant(weights(6 * 2 * 9, 1), {6, 2, 3, 3})}, padded)});
  const auto apart =
      b.node("Conv", {left, b.constant(weights(6 * 9, 2), {6, 1, 3, 3}), b.constant(weights(6, 3), {6})}, depthwise);
  const auto right = b.node("Conv", {x, b.constant(weights(4 * 2 * 9, 4), {4, 2, 3, 3})}, padded);
  const auto both = b.node("Concat", {apart, right}, {Builder::attribute("axis", 1)});
  const auto mixed = b.node("Conv", {both, b.constant(weights(5 * 10 * 9, 5), {5, 10, 3, 3})}, padded);
  const auto pooled = b.node("GlobalAveragePool", {b.node("Relu", {mixed})});
  b.output(b.node("Gemm", {b.node("Flatten", {pooled}), b.constant(weights(5 * 3, 6), {5, 3})}, {}, "y"),
           onnx::ElementType::kFloat, {"batch", 3});
  auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

class PruneEachTest : public testing::TestWithParam<double> {};

// Smaller, and the same as if the channels had been set to 0.
TEST_P(PruneEachTest, ASmallerGraphEqualsTheMaskedOne) {
  for (const Bytes& before : {residual_network(), branches()}) {
    FakeDataset samples(20, {2, 8, 8}, 7);
    const auto pruned = prune(before, {.ratio = GetParam()});
    ASSERT_TRUE(pruned) << pruned.error().message;
    EXPECT_LT(pruned->parameters_after, pruned->parameters_before);
    EXPECT_LT(pruned->model.size(), pruned->masked.size());
    const auto same = compare_models(pruned->masked, pruned->model, samples);
    ASSERT_TRUE(same) << same.error().message;
    EXPECT_LT(same->max_abs_diff, 1e-4);
    const auto changed = compare_models(before, pruned->model, samples);
    ASSERT_TRUE(changed);
    EXPECT_GT(changed->max_abs_diff, 1e-3) << "a mask that masks nothing proves nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Ratios, PruneEachTest, testing::Values(0.3, 0.5, 0.9));

TEST(Prune, LayersThatAreAddedLoseTheSameChannels) {
  const auto pruned = prune(residual_network(), {.ratio = 0.5});
  ASSERT_TRUE(pruned) << pruned.error().message;
  ASSERT_EQ(pruned->layers.size(), 3U);
  EXPECT_EQ(pruned->layers[0].channels_left, 2U);
  EXPECT_EQ(pruned->layers[1].channels_left, 2U);
  EXPECT_EQ(pruned->layers[2].channels_left, 5U) << "the model's output keeps its shape";
  EXPECT_THAT(pruned->layers[2].kept_why, HasSubstr("output"));
}

TEST(Prune, SingleWeightsBecomeZeros) {
  const auto pruned = prune(residual_network(), {.ratio = 0.6, .is_structured = false});
  ASSERT_TRUE(pruned) << pruned.error().message;
  EXPECT_LT(pruned->parameters_after, pruned->parameters_before / 2);
  for (const auto& layer : pruned->layers) EXPECT_GT(layer.sparsity, 0.3) << layer.node;
}

TEST(Prune, RefusesARatioThatIsNoneAndAModelWithNothingToTake) {
  EXPECT_FALSE(prune(residual_network(), {.ratio = 0.0}));
  EXPECT_FALSE(prune(residual_network(), {.ratio = 1.0}));
  Builder b("one");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  b.output(b.node("MatMul", {x, b.constant(weights(12, 1), {4, 3})}, {}, "y"), onnx::ElementType::kFloat, {"batch", 3});
  const auto only = prune(*b.finish(), {.ratio = 0.5});
  ASSERT_FALSE(only);
  EXPECT_THAT(only.error().message, HasSubstr("output"));
}

}  // namespace
}  // namespace millwright::lab
