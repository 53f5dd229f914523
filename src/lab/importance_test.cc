// SPDX-License-Identifier: Apache-2.0
#include "lab/importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/prune.h"
#include "lab/quantize_fixture.h"
#include "lab/sensitivity.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;
using Builder = onnx::GraphBuilder;

// x (4 columns) to two hidden channels with these filters, scales of BatchNorm (none: no BatchNorm) and biases, through
// Relu, to one output that reads both alike.
Bytes two_channels(const std::vector<float>& filters, const std::vector<float>& scales,
                   const std::vector<float>& biases = {0.0F, 0.0F}) {
  Builder b("two");
  const std::vector<float> zeros = {0.0F, 0.0F};
  const std::vector<float> ones = {1.0F, 1.0F};
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4, 1, 1});
  auto at = b.node("Conv", {x, b.constant(filters, {2, 4, 1, 1}, "filters"), b.constant(biases, {2})});
  if (!scales.empty()) {
    at = b.node("BatchNormalization",
                {at, b.constant(scales, {2}), b.constant(zeros, {2}), b.constant(zeros, {2}), b.constant(ones, {2})});
  }
  b.output(b.node("Conv", {b.node("Relu", {at}), b.constant(ones, {1, 2, 1, 1})}, {}, "y"), onnx::ElementType::kFloat,
           {"batch", 1, 1, 1});
  auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

// The first weight of the filter that is left where one of two goes.
float left_over(const Bytes& model, Criterion by, recording::Dataset* samples = nullptr) {
  PruneOptions options{.ratio = 0.5};
  options.importance = {.criterion = by, .calibration = samples};
  const auto pruned = prune(model, options);
  EXPECT_TRUE(pruned) << pruned.error().message;
  if (!pruned) return 0.0F;
  const auto graph = onnx::Graph::parse(pruned->model);
  EXPECT_TRUE(graph);
  for (const auto& [name, tensor] : graph->constants) {
    if (tensor.dims == std::vector<int64_t>{1, 4, 1, 1}) return tensor.floats()[0];
  }
  ADD_FAILURE() << "no filter is left";
  return 0.0F;
}

TEST(Importance, EachCriterionTakesWhatMattersLeastByItsOwnMeasure) {
  // Sums of magnitudes 4 and 3, roots of squares 2 and 3.
  const Bytes flat_and_peaked = two_channels({1, 1, 1, 1, 3, 0, 0, 0}, {});
  EXPECT_EQ(left_over(flat_and_peaked, Criterion::kL1), 1.0F);
  EXPECT_EQ(left_over(flat_and_peaked, Criterion::kL2), 3.0F);
  // BatchNorm is folded into the filters, 2 and 0.5: only the model before knows that the scales are 0.2 and 1.
  const Bytes scaled = two_channels({10, 10, 10, 10, 0.5, 0.5, 0.5, 0.5}, {0.2F, 1.0F});
  EXPECT_NEAR(left_over(scaled, Criterion::kL1), 2.0F, 0.01F);
  EXPECT_NEAR(left_over(scaled, Criterion::kBatchNorm), 0.5F, 0.01F);
  // The large filter never comes through its Relu.
  FakeDataset samples(20, {4, 1, 1}, 1);
  const Bytes dead = two_channels({5, 5, 5, 5, 1, 1, 1, 1}, {}, {-1000.0F, 0.0F});
  EXPECT_EQ(left_over(dead, Criterion::kL1), 5.0F);
  EXPECT_EQ(left_over(dead, Criterion::kActivation, &samples), 1.0F);
}

TEST(Importance, SaysWhatItNeeds) {
  const Bytes model = two_channels({1, 1, 1, 1, 3, 0, 0, 0}, {});
  PruneOptions options{.ratio = 0.5};
  options.importance.criterion = Criterion::kBatchNorm;
  const auto no_norm = prune(model, options);
  ASSERT_FALSE(no_norm);
  EXPECT_THAT(no_norm.error().message, HasSubstr("no BatchNormalization"));
  EXPECT_THAT(no_norm.error().message, HasSubstr("Conv"));
  options.importance.criterion = Criterion::kActivation;
  const auto no_samples = prune(model, options);
  ASSERT_FALSE(no_samples);
  EXPECT_THAT(no_samples.error().message, HasSubstr("--calibration"));
  FakeDataset other(3, {5, 1, 1}, 1);
  options.importance.calibration = &other;
  EXPECT_FALSE(prune(model, options));
  FakeDataset broken(3, {4, 1, 1}, 1);
  broken.samples[5] = std::nanf("");
  options.importance.calibration = &broken;
  const auto not_finite = prune(model, options);
  ASSERT_FALSE(not_finite);
  EXPECT_THAT(not_finite.error().message, HasSubstr("sample 1"));
  EXPECT_FALSE(criterion("l3"));
}

TEST(Sensitivity, EachGroupsDropIsThatOfPruningItAlone) {
  const Bytes model = residual_network();
  FakeDataset samples(200, {2, 8, 8}, 5);
  SensitivityOptions options;
  options.ratios = {0.25, 0.75};
  const auto found = scan_sensitivity(model, samples, options);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->groups.size(), 2U);
  const GroupSensitivity& added = found->groups[0];
  EXPECT_EQ(added.layers.size(), 2U) << "the two that are added";
  ASSERT_EQ(added.steps.size(), 2U);
  EXPECT_LT(added.steps[0].removed, added.steps[1].removed);
  EXPECT_GT(added.steps[1].drop, 0.0);
  EXPECT_TRUE(found->groups[1].steps.empty()) << "the model's output";
  PruneOptions alone{.ratio = 0.01};
  alone.ratios[added.group] = 0.75;
  const auto pruned = prune(model, alone);
  ASSERT_TRUE(pruned) << pruned.error().message;
  const auto cost = compare_models(model, pruned->model, samples);
  ASSERT_TRUE(cost);
  EXPECT_DOUBLE_EQ(cost->drop, added.steps[1].drop);
}

}  // namespace
}  // namespace millwright::lab
