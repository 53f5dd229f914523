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

// What shares its channels with others, in forms that exporters write: each would be cut wrongly by its own mistake.
TEST(Prune, FollowsChannelsThroughGroupsGatesSplitsAndNorms) {
  const std::vector<Builder::Attribute> in_groups = {Builder::attribute("group", 2)};
  const std::vector<float> ones(8, 1.0F);
  Builder b("shared");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const auto first = b.node("Relu", {b.node("Conv", {x, b.constant(weights(8 * 2, 1), {8, 2, 1, 1})})});
  const auto grouped = b.node("Conv", {first, b.constant(weights(8 * 4, 2), {8, 4, 1, 1})}, in_groups);
  const auto sum = b.node("Add", {grouped, first});
  const auto norm = b.node("BatchNormalization", {sum, b.constant(weights(8, 3), {8}), b.constant(weights(8, 4), {8}),
                                                  b.constant(weights(8, 5), {8}), b.constant(ones, {8})});
  const auto mean = b.node("GlobalAveragePool", {norm});
  const auto gate = b.node("Sigmoid", {b.node("Conv", {mean, b.constant(weights(64, 6), {8, 8, 1, 1})})});
  const std::vector<int64_t> sizes = {3, 5};
  const auto parts =
      b.node_n("Split", {b.node("Mul", {norm, gate}), b.constant(sizes, {2})}, 2, {Builder::attribute("axis", 1)});
  const auto turned = b.node("PRelu", {parts[1], b.constant(weights(5, 7), {5, 1, 1})});
  const auto both = b.node("Concat", {turned, parts[0]}, {Builder::attribute("axis", 1)});
  b.output(b.node("Conv", {both, b.constant(weights(3 * 8, 8), {3, 8, 1, 1})}, {}, "y"), onnx::ElementType::kFloat,
           {"batch", 3, 8, 8});
  const auto bytes = b.finish();
  ASSERT_TRUE(bytes) << bytes.error().message;
  FakeDataset samples(10, {2, 8, 8}, 3);
  for (const double ratio : {0.3, 0.5, 0.9}) {
    const auto pruned = prune(*bytes, {.ratio = ratio});
    ASSERT_TRUE(pruned) << pruned.error().message;
    ASSERT_EQ(pruned->layers.size(), 4U);
    EXPECT_LT(pruned->layers[0].channels_left, 8U);
    EXPECT_EQ(pruned->layers[0].channels_left % 2, 0U) << "groups of equal size";
    EXPECT_EQ(pruned->layers[0].channels_left, pruned->layers[2].channels_left) << "the gate has one for each";
    const auto same = compare_models(pruned->masked, pruned->model, samples);
    ASSERT_TRUE(same) << same.error().message;
    EXPECT_LT(same->max_abs_diff, 1e-4);
  }
}

// 0 becomes 0.5, which the next layer reads: nothing may go.
TEST(Prune, LeavesWhatASigmoidMakesSomethingOf) {
  Builder b("sigmoid");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  const auto hidden = b.node("Sigmoid", {b.node("MatMul", {x, b.constant(weights(40, 1), {4, 10})})});
  b.output(b.node("MatMul", {hidden, b.constant(weights(30, 2), {10, 3})}, {}, "y"), onnx::ElementType::kFloat,
           {"batch", 3});
  const auto refused = prune(*b.finish(), {.ratio = 0.5});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("MatMul"));
}

TEST(Prune, KeepsABiasThatServesAllChannels) {
  Builder b("shared bias");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  const auto hidden = b.node("Gemm", {x, b.constant(weights(40, 1), {4, 10}), b.constant(weights(1, 3), {1})});
  b.output(b.node("MatMul", {hidden, b.constant(weights(30, 2), {10, 3})}, {}, "y"), onnx::ElementType::kFloat,
           {"batch", 3});
  EXPECT_FALSE(prune(*b.finish(), {.ratio = 0.5}));
}

TEST(Prune, RefusesAQuantisedModelAndSaysWhatToDo) {
  Builder b("quantised");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  const auto told = b.node("DynamicQuantizeLinear", {x});
  b.output(told, onnx::ElementType::kUint8, {"batch", 4});
  const auto refused = prune(b.finish_unchecked(), {.ratio = 0.5});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("DynamicQuantizeLinear"));
  EXPECT_THAT(refused.error().message, HasSubstr("then quantise"));
}

}  // namespace
}  // namespace millwright::lab
