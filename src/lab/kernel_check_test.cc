// SPDX-License-Identifier: Apache-2.0
#include "lab/kernel_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;

Int8Quantizer quantizer_of(const Bytes& model) {
  FakeDataset samples(16, {2, 8, 8}, 7);
  auto quantizer = Int8Quantizer::create(model, samples, {.method = CalibrationMethod::kMinMax});
  EXPECT_TRUE(quantizer) << quantizer.error().message;
  return *std::move(quantizer);
}

TEST(KernelCheck, NothingIsMissingWhereEveryLayerIsAnIntegerKernel) {
  const auto quantized = quantizer_of(residual_network()).quantize();
  ASSERT_TRUE(quantized) << quantized.error().message;
  const auto check = check_kernels(*quantized);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_EQ(check->missing, 0U);
  EXPECT_EQ(check->kernels.integer, 3U);
  EXPECT_TRUE(check->left_float.empty());
}

// The trap itself: a bias whose scale is not the product of the other two. The runtime takes the model, answers
// rightly, and calculates in float.
TEST(KernelCheck, ABiasOfAnotherScaleIsFoundAndItsLayerNamed) {
  const auto quantizer = quantizer_of(residual_network());
  auto quantized = quantizer.quantize();
  ASSERT_TRUE(quantized) << quantized.error().message;
  auto graph = onnx::Graph::parse(quantized->model);
  ASSERT_TRUE(graph) << graph.error().message;
  std::string harmed;
  for (const onnx::Node& node : graph->nodes) {
    if (node.op != "Conv" || !harmed.empty()) continue;
    harmed = node.name;
    const onnx::Wiring wiring(*graph);
    const onnx::Node& bias = graph->nodes[*wiring.maker(node.inputs[2])];
    for (float& scale : graph->constants.find(bias.inputs[1])->second.floats()) scale *= 1.5F;
  }
  quantized->model = *graph->serialize();
  const auto check = check_kernels(*quantized);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_EQ(check->missing, 1U);
  EXPECT_EQ(check->kernels.unfused_conv, 1U);
  ASSERT_EQ(check->left_float.size(), 1U);
  EXPECT_EQ(check->left_float[0].name, harmed);
  EXPECT_THAT(check->left_float[0].why, HasSubstr("kept its float kernel"));
}

// A product of two values has no weights, and keeps its reason.
TEST(KernelCheck, WhatWasNotQuantisedKeepsThePlansReason) {
  using Builder = onnx::GraphBuilder;
  Builder b("attention");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const auto sum = b.node("MatMul", {x, b.constant(weights(64, 3), {8, 8})});
  b.output(b.node("MatMul", {sum, x}, {}, "y"), onnx::ElementType::kFloat, {"batch", 2, 8, 8});
  const auto model = b.finish();
  ASSERT_TRUE(model) << model.error().message;
  const auto quantized = quantizer_of(*model).quantize();
  ASSERT_TRUE(quantized) << quantized.error().message;
  const auto check = check_kernels(*quantized);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_EQ(check->missing, 0U);
  ASSERT_EQ(check->left_float.size(), check->kernels.left_float);
  for (const LeftFloat& one : check->left_float) EXPECT_THAT(one.why, HasSubstr("not constant"));
}

// x (128) to a product, an activation, and what comes behind.
Bytes product_and_activation(const std::string& product, const std::string& activation, const std::string& behind) {
  using Builder = onnx::GraphBuilder;
  Builder b("end");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 128});
  std::vector<std::string> ends = {b.node(product, {x, b.constant(weights(640, 3), {128, 5})})};
  if (activation == "Clip") ends.insert(ends.end(), {b.scalar(0.0F), b.scalar(6.0F)});
  const auto sum = b.node(activation, ends, {}, behind.empty() ? "y" : "");
  if (behind == "Gemm") b.node("Gemm", {sum, b.constant(weights(25, 4), {5, 5})}, {}, "y");
  if (behind == "Softmax") b.node("Softmax", {sum}, {}, "y");
  b.output("y", onnx::ElementType::kFloat, {"batch", 5});
  const auto model = b.finish();
  EXPECT_TRUE(model) << model.error().message;
  return *model;
}

// An activation behind a product, and nobody behind it reads 8 bits: the runtime would rather fuse the two in float.
TEST(KernelCheck, AnActivationBeforeAFloatLayerKeepsNoProductInFloat) {
  for (const std::string product : {"Gemm", "MatMul"}) {
    for (const std::string activation : {"Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"}) {
      for (const std::string behind : {"", "Gemm", "Softmax"}) {
        FakeDataset samples(16, {128}, 7);
        const auto quantizer = Int8Quantizer::create(product_and_activation(product, activation, behind), samples,
                                                     {.method = CalibrationMethod::kMinMax});
        ASSERT_TRUE(quantizer) << quantizer.error().message;
        std::set<std::string> last;
        if (behind == "Gemm") last.insert(quantizer->graph().nodes.back().name);
        const auto check = check_kernels(*quantizer->quantize({}, last));
        ASSERT_TRUE(check) << check.error().message;
        EXPECT_EQ(check->missing, 0U) << product << " " << activation << " " << behind;
      }
    }
  }
}

// Whatever a Clip's bounds are, the convolution before it calculates with integers: the runtime leaves a Clip out only
// where 8 bits can say nothing beyond its bounds, to a part in 10^7.
TEST(KernelCheck, NoBoundsOfAClipKeepAConvolutionInFloat) {
  using Builder = onnx::GraphBuilder;
  size_t bound = 0;
  for (const auto& [low, high] : {std::pair(-1.0F, 1.0F),
                                  {0.5F, 2.0F},
                                  {0.0F, 6.0F},
                                  {0.0F, 0.7F},
                                  {0.0F, 0.9F},
                                  {0.0F, 1.1F},
                                  {0.0F, 1.3F},
                                  {0.0F, 1.7F},
                                  {0.0F, 1.9955683F},
                                  {-0.3F, 2.0F}}) {
    Builder b("clip");
    const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 2, 8, 8});
    const auto sum = b.node("Conv", {x, b.constant(weights(72, 3), {4, 2, 3, 3})});
    const auto clipped = b.node("Clip", {sum, b.scalar(low), b.scalar(high)});
    b.node("Conv", {clipped, b.constant(weights(72, 4), {2, 4, 3, 3})}, {}, "y");
    b.output("y", onnx::ElementType::kFloat, {"batch", 2, 4, 4});
    const auto model = b.finish();
    ASSERT_TRUE(model) << model.error().message;
    const auto check = check_kernels(*quantizer_of(*model).quantize());
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_EQ(check->missing, 0U) << "Clip to " << low << ", " << high;
    bound += check->kernels.counts.contains("Clip") ? 1 : 0;
  }
  EXPECT_EQ(bound, 3U);  // those whose least value is not 0 stay, as kernels of their own
}

TEST(KernelCheck, AMissingIntegerKernelIsCountedUnderWhateverName) {
  inference::Kernels kernels;
  kernels.integer = 1;
  QuantPlan plan;
  plan.weighted = {0, 1};
  plan.weighted_names = {"a", "b"};
  EXPECT_EQ(judge_kernels(kernels, plan).missing, 1U);
  kernels.nodes = {{.name = "fused b_nchwc", .op = "Conv", .result = "y", .kind = inference::KernelKind::kFloat}};
  EXPECT_EQ(judge_kernels(kernels, plan).left_float[0].name, "b");
  // One that the plan left in float became an integer kernel by itself: the count alone would not tell.
  kernels.integer = 2;
  plan.left_float = {{"node 'c' (Gemm)", "it was named", "c"}};
  EXPECT_EQ(judge_kernels(kernels, plan).missing, 1U);
}

}  // namespace
}  // namespace millwright::lab
