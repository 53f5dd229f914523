// SPDX-License-Identifier: Apache-2.0
#include "lab/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "inference/optimised.h"
#include "lab/compare.h"
#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;

Result<Quantized> quantized(const Bytes& model, recording::Dataset& samples, CalibrationMethod method,
                            const QdqForm& form = {}) {
  const auto quantizer = Int8Quantizer::create(model, samples, {.method = method});
  if (!quantizer) return std::unexpected(quantizer.error());
  return quantizer->quantize(form);
}

Result<Quantized> quantized(const Bytes& model, recording::Dataset& samples, const QdqForm& form = {}) {
  return quantized(model, samples, CalibrationMethod::kMinMax, form);
}

TEST(Quantize, EveryProductIsAnIntegerKernelAndTheAnswerStays) {
  const Bytes before = residual_network();
  FakeDataset samples(64, {2, 8, 8}, 7);
  FakeDataset fresh(256, {2, 8, 8}, 8);
  for (const auto method : {CalibrationMethod::kMinMax, CalibrationMethod::kEntropy, CalibrationMethod::kPercentile,
                            CalibrationMethod::kMse}) {
    const auto after = quantized(before, samples, method);
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after->plan.weighted.size(), 3U);
    EXPECT_TRUE(after->plan.left_float.empty());
    const auto kernels = inference::kernels(after->model);
    ASSERT_TRUE(kernels) << kernels.error().message;
    EXPECT_EQ(kernels->integer, 3U);
    EXPECT_EQ(kernels->left_float, 0U);
    EXPECT_EQ(kernels->unfused_conv, 0U);
    const auto cost = compare_models(before, after->model, fresh);
    ASSERT_TRUE(cost) << cost.error().message;
    EXPECT_GE(cost->agreement, 0.95) << name(method);
  }
}

TEST(Quantize, TheSameInputsGiveTheSameBytes) {
  FakeDataset samples(16, {2, 8, 8}, 7);
  const auto once = quantized(residual_network(), samples);
  const auto twice = quantized(residual_network(), samples);
  ASSERT_TRUE(once && twice);
  EXPECT_EQ(once->model, twice->model);
}

TEST(Quantize, ANamedLayerStaysInFloat) {
  FakeDataset samples(16, {2, 8, 8}, 7);
  const auto quantizer = Int8Quantizer::create(residual_network(), samples);
  ASSERT_TRUE(quantizer) << quantizer.error().message;
  std::set<std::string> float_nodes;
  for (const auto& node : quantizer->graph().nodes) {
    if (node.op == "Gemm") float_nodes.insert(node.name);
  }
  const auto after = quantizer->quantize({}, float_nodes);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->plan.weighted.size(), 2U);
  ASSERT_EQ(after->plan.left_float.size(), 1U);
  EXPECT_THAT(after->plan.left_float[0].node, HasSubstr("Gemm"));
}

TEST(Quantize, OlderOperatorSetsAreRaisedOrRefused) {
  FakeDataset samples(4, {2, 8, 8}, 7);
  EXPECT_TRUE(quantized(residual_network(11), samples));
  const auto old = quantized(residual_network(10), samples);
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().message, HasSubstr("operator set 10"));
}

TEST(Quantize, RefusesWhatItCannotDoAndSaysWhy) {
  FakeDataset samples(4, {2, 8, 8}, 7);
  const auto once = quantized(residual_network(), samples);
  ASSERT_TRUE(once);
  const auto twice = quantized(once->model, samples);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("quantised already"));

  FakeDataset none(0, {2, 8, 8}, 7);
  const auto empty = quantized(residual_network(), none);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("no samples"));

  FakeDataset wrong(4, {3, 8, 8}, 7);
  const auto shape = quantized(residual_network(), wrong);
  ASSERT_FALSE(shape);
  EXPECT_THAT(shape.error().message, HasSubstr("(3, 8, 8)"));

  samples.samples[130] = std::numeric_limits<float>::quiet_NaN();
  const auto nan = quantized(residual_network(), samples);
  ASSERT_FALSE(nan);
  EXPECT_THAT(nan.error().message, HasSubstr("sample 1"));
}

// Two products of 255 and a weight fit into 16 bits, whichever two weights of a channel meet.
TEST(Quantize, NoPairOfWeightsCanBeClippedByA16BitSum) {
  FakeDataset samples(4, {2, 8, 8}, 7);
  for (const bool full : {false, true}) {
    const QdqForm form{.full_weights = full};
    const auto after = quantized(residual_network(), samples, form);
    ASSERT_TRUE(after);
    const auto graph = onnx::Graph::parse(after->model);
    ASSERT_TRUE(graph);
    int largest_pair = 0;
    for (const auto& [name, tensor] : graph->constants) {
      if (tensor.type != onnx::ElementType::kInt8 || tensor.dims.size() != 4) continue;
      const size_t inner = tensor.elements() / static_cast<size_t>(tensor.dims[0]);
      for (size_t at = 0; at < tensor.elements(); at += inner) {
        std::vector<int> sizes;
        for (size_t i = 0; i < inner; ++i)
          sizes.push_back(std::abs(static_cast<int>(static_cast<int8_t>(tensor.data[at + i]))));
        std::ranges::sort(sizes, std::greater());
        largest_pair = std::max(largest_pair, sizes[0] + sizes[1]);
      }
    }
    EXPECT_EQ(largest_pair <= 128, !full);
  }
}

TEST(Quantize, SymmetricActivationsAreSignedWithoutAZeroPoint) {
  FakeDataset samples(16, {2, 8, 8}, 7);
  const QdqForm form{.symmetric_activations = true};
  const auto after = quantized(residual_network(), samples, form);
  ASSERT_TRUE(after) << after.error().message;
  const auto graph = onnx::Graph::parse(after->model);
  ASSERT_TRUE(graph);
  for (const auto& node : graph->nodes) {
    if (node.op != "QuantizeLinear") continue;
    const auto* zero = graph->constant(node.inputs[2]);
    ASSERT_NE(zero, nullptr);
    EXPECT_EQ(zero->type, onnx::ElementType::kInt8);
    EXPECT_EQ(zero->data[0], std::byte{0});
  }
}

// 1.9955683 / 255 * 255 is more than it was, in floats.
TEST(ActivationScale, SaysNothingBeyondTheRange) {
  for (const float high : {6.0F, 1.9955683F, 3.9943511F}) {
    EXPECT_LE(activation_scale({.low = 0.0F, .high = high}, false).scale * 255.0F, high);
    EXPECT_NEAR(activation_scale({.low = 0.0F, .high = high}, false).scale * 255.0F, high, 1e-6F);
  }
  EXPECT_LE(activation_scale({}, false).scale * 255.0F, 6.0F);  // dead, and a Clip to 6 behind it
}

TEST(ActivationScale, TellsZeroExactly) {
  for (const Range range : {Range{-1.0F, 3.0F}, Range{0.0F, 6.0F}, Range{-2.0F, 0.0F}, Range{0.0F, 0.0F}}) {
    const ActivationScale scale = activation_scale(range, false);
    EXPECT_GE(scale.zero_point, 0);
    EXPECT_LE(scale.zero_point, 255);
    EXPECT_GT(scale.scale, 0.0F);
    const float low = static_cast<float>(-scale.zero_point) * scale.scale;
    EXPECT_NEAR(low, range.low, scale.scale);
  }
}

}  // namespace
}  // namespace millwright::lab
