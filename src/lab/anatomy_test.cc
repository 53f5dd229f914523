// SPDX-License-Identifier: Apache-2.0
#include "lab/anatomy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/quantize.h"
#include "lab/quantize_fixture.h"
#include "lab/topology.h"

namespace millwright::lab {
namespace {

// By hand: 2 x 3 x 3 x 4 and 4 x 3 x 3 x 4 products at each of 64 places, and 64 x 5.
TEST(Anatomy, CountsAResidualNetwork) {
  const auto found = anatomy(residual_network());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->work.multiply_adds, 72U * 64 + 144U * 64 + 320U);
  EXPECT_EQ(found->work.uncounted_nodes, 0U);
  EXPECT_EQ(found->work.parameters, 72U + 4 + 144 + 4 + 320 + 5);
  EXPECT_EQ(found->dynamic, std::vector<std::string>{"x"});
  // Most is held at the second sum: three images of 4 x 8 x 8 floats at least.
  EXPECT_TRUE(found->work.activation_bound);
  EXPECT_EQ(found->work.activation_bytes, 3U * 4 * 64 * 4);
  ASSERT_TRUE(found->runtime) << found->why_no_runtime;
  EXPECT_EQ(found->runtime->kernels.integer, 0U);
  EXPECT_EQ(found->runtime->kernels.left_float, 3U);
  ASSERT_FALSE(found->runtime->placement.empty()) << found->runtime->why_no_placement;
  EXPECT_GT(found->runtime->trial.peak_rss_bytes, 0U);
}

TEST(Anatomy, ShowsWhichKernelsAreIntegerOnesAndCountsTheSameWorkInThem) {
  FakeDataset samples(8, {2, 8, 8}, 7);
  const auto quantizer = Int8Quantizer::create(residual_network(), samples, {.method = CalibrationMethod::kMinMax});
  ASSERT_TRUE(quantizer) << quantizer.error().message;
  const auto quantized = quantizer->quantize();
  ASSERT_TRUE(quantized) << quantized.error().message;
  const auto found = anatomy(quantized->model);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->runtime) << found->why_no_runtime;
  EXPECT_EQ(found->runtime->kernels.integer, 3U);
  EXPECT_EQ(found->runtime->kernels.left_float, 0U);
  EXPECT_EQ(found->work.multiply_adds, 72U * 64 + 144U * 64 + 320U);
}

TEST(Anatomy, AModelThatFailsItsTrialIsReadAndNotLoaded) {
  using Builder = onnx::GraphBuilder;
  Builder b("nan");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  b.output(b.node("Log", {x}, {}, "y"), onnx::ElementType::kFloat, {"batch", 4});
  const auto model = b.finish();
  ASSERT_TRUE(model) << model.error().message;
  const auto found = anatomy(*model);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->runtime);
  EXPECT_THAT(found->why_no_runtime, ::testing::HasSubstr("-inf for an ordinary input"));
  EXPECT_EQ(found->summary.nodes, 1U);
}

TEST(Anatomy, AProviderThatIsNotHereCostsThePlacementOnly) {
  const auto found = anatomy(residual_network(), {.provider = inference::Provider::kOpenVino});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->runtime);
  EXPECT_TRUE(found->runtime->placement.empty());
  EXPECT_THAT(found->runtime->why_no_placement, ::testing::HasSubstr("OpenVINO"));
}

}  // namespace
}  // namespace millwright::lab

int main(int argc, char** argv) {
  millwright::inference::run_trial_child_if_asked(argc, argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
