// SPDX-License-Identifier: Apache-2.0
#include "lab/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;

// x (batch, n) times a diagonal plus an offset, so that a test knows what comes out.
Bytes diagonal(const std::vector<float>& factors, float offset = 0.0F) {
  onnx::GraphBuilder b("diagonal");
  const auto n = static_cast<int64_t>(factors.size());
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", n});
  b.output(b.node("Add", {b.node("Mul", {x, b.constant(factors, {n})}), b.scalar(offset)}, {}, "y"),
           onnx::ElementType::kFloat, {"batch", n});
  return *b.finish();
}

Bytes first_of(const Bytes&, float factor) {
  onnx::GraphBuilder b("sum");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 3});
  const std::vector<float> w = {factor, 0.0F, 0.0F};
  b.output(b.node("MatMul", {x, b.constant(w, {3, 1})}, {}, "y"), onnx::ElementType::kFloat, {"batch", 1});
  return *b.finish();
}

// Four outputs of two inputs: classes.
Bytes classes(float last) {
  onnx::GraphBuilder b("classes");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2});
  const std::vector<float> w = {1, 0, -1, last, 0, 1, 0, last};
  b.output(b.node("MatMul", {x, b.constant(w, {2, 4})}, {}, "y"), onnx::ElementType::kFloat, {"batch", 4});
  return *b.finish();
}

TEST(Compare, AModelAgreesWithItself) {
  FakeDataset samples(50, {2}, 1);
  const auto same = compare_models(classes(-2), classes(-2), samples);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->metric, Metric::kAgreement);
  EXPECT_EQ(same->agreement, 1.0);
  EXPECT_EQ(same->max_abs_diff, 0.0);
  EXPECT_EQ(same->drop, 0.0);
  EXPECT_GT(same->drop_ci95.high, 0.0) << "fifty samples prove no more than that";
}

TEST(Compare, AccuracyIsPairedAndLostPointsAreCounted) {
  FakeDataset samples(200, {2}, 2);
  CompareOptions options;
  for (size_t i = 0; i < 200; ++i) {
    const float x = samples.samples[2 * i];
    const float y = samples.samples[2 * i + 1];
    const std::vector<float> out = {x, y, -x, -2.0F * (x + y)};
    options.labels.push_back(static_cast<double>(std::ranges::max_element(out) - out.begin()));
  }
  const auto found = compare_models(classes(-2), classes(5), samples, options);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->metric, Metric::kAccuracy);
  EXPECT_EQ(found->metric_a, 100.0);
  EXPECT_NEAR(found->drop, 100.0 * (1.0 - found->agreement), 1e-9);
  EXPECT_LT(found->drop_ci95.low, found->drop);
  EXPECT_GT(found->drop_ci95.high, found->drop);
}

TEST(Compare, AReconstructionIsJudgedByItsScore) {
  FakeDataset samples(60, {4}, 3);
  CompareOptions options;
  for (size_t i = 0; i < 60; ++i) options.labels.push_back(i < 30 ? 0 : 1);
  // Anomalous ones are larger, hence worse reconstructed by what gives 0.
  for (size_t i = 30 * 4; i < samples.samples.size(); ++i) samples.samples[i] *= 10.0F;
  const auto found = compare_models(diagonal({0, 0, 0, 0}), diagonal({1, 1, 1, 1}), samples, options);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->metric, Metric::kAuc);
  EXPECT_GT(found->metric_a, 95.0);
  EXPECT_EQ(found->metric_b, 50.0);
  EXPECT_GT(found->drop_ci95.low, 30.0);
}

TEST(Compare, AValueIsJudgedByItsError) {
  FakeDataset samples(60, {3}, 4);
  CompareOptions options;
  for (size_t i = 0; i < 60; ++i) options.labels.push_back(2.0 * samples.samples[3 * i] + 0.1);
  const auto found = compare_models(first_of({}, 2.0F), first_of({}, 2.1F), samples, options);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->metric, Metric::kRmse);
  EXPECT_NEAR(found->metric_a, 0.1, 1e-5);
  EXPECT_GT(found->metric_b, found->metric_a);
  EXPECT_GT(found->drop, 0.0);
}

TEST(Compare, ModelsOfDifferentShapeAreNotCompared) {
  FakeDataset samples(4, {3}, 5);
  const auto found = compare_models(diagonal({1, 1, 1}), first_of({}, 1.0F), samples);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("3 and 1 values"));
}

}  // namespace
}  // namespace millwright::lab
