// SPDX-License-Identifier: Apache-2.0
#include "lab/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "inference/optimised.h"
#include "inference/session.h"
#include "lab/quantize.h"
#include "lab/quantize_fixture.h"
#include "onnx/work.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;

// What training learns: weights, and the scale and offset of each norm; not its running statistics.
uint64_t trained_parameters(const onnx::Graph& graph) {
  uint64_t count = 0;
  for (const onnx::Node& node : graph.nodes) {
    const size_t most = node.op == "BatchNormalization" ? 3 : node.op == "Clip" ? 0 : node.inputs.size();
    for (size_t i = 0; i < most; ++i) {
      if (const onnx::Tensor* constant = graph.constant(node.inputs[i])) count += constant->elements();
    }
  }
  return count;
}

struct Published {
  std::string name;
  uint64_t parameters;
  double giga_multiply_adds;  // at 224, to the digits that are published
};

// The table of torchvision's pre-trained models (num_params and GFLOPS, where one multiply-add counts as one), which
// agrees with the papers' 3.8 G (version 1, other strides) and 300 M.
TEST(Topology, HasTheParametersAndMultiplyAddsThatArePublished) {
  for (const Published& published :
       {Published{"resnet50", 25'557'032, 4.09}, Published{"mobilenetv2", 3'504'872, 0.30}}) {
    const auto model = topology(published.name);
    ASSERT_TRUE(model) << model.error().message;
    const auto shaped = inference::shaped_graph(*model);
    ASSERT_TRUE(shaped) << shaped.error().message;
    EXPECT_EQ(trained_parameters(shaped->graph), published.parameters);
    const onnx::Work work = onnx::work_of(shaped->graph);
    EXPECT_EQ(work.uncounted_nodes, 0U);
    EXPECT_NEAR(static_cast<double>(work.multiply_adds) * 1e-9, published.giga_multiply_adds, 0.005) << published.name;
  }
}

TEST(Topology, TheSameSeedGivesTheSameBytesAndAnotherDoesNot) {
  for (const std::string_view name : topology_names()) {
    const TopologyOptions small{.size = 32, .seed = 5};
    const auto once = topology(name, small);
    ASSERT_TRUE(once) << once.error().message;
    EXPECT_EQ(*once, *topology(name, small));
  }
  EXPECT_NE(*topology("mobilenetv2", {.size = 32, .seed = 6}), *topology("mobilenetv2", {.size = 32, .seed = 5}));
}

// Through fifty layers no value dies out or explodes, at any size, and the answer depends on the image.
TEST(Topology, ActivationsStayOfTheOrderOfOne) {
  for (const std::string_view name : topology_names()) {
    for (const int64_t size : {32, 96}) {
      const auto model = topology(name, {.size = size});
      ASSERT_TRUE(model) << model.error().message;
      FakeDataset images(4, {3, size, size}, 11);
      const auto quantizer = Int8Quantizer::create(*model, images, {.method = CalibrationMethod::kMinMax});
      ASSERT_TRUE(quantizer) << quantizer.error().message;
      EXPECT_GT(quantizer->ranges().size(), 50U);
      for (const auto& [value, range] : quantizer->ranges()) {
        const float largest = std::max(std::abs(range.low), std::abs(range.high));
        EXPECT_GT(largest, 0.05F) << name << " " << size << " " << value;
        EXPECT_LT(largest, 500.0F) << name << " " << size << " " << value;
      }
    }
  }
}

TEST(Topology, AnswersForBatchesAndDependsOnTheImage) {
  for (const std::string_view name : topology_names()) {
    const auto model = topology(name, {.size = 64});
    ASSERT_TRUE(model) << model.error().message;
    auto session = inference::Session::create(*model, 2);
    ASSERT_TRUE(session) << session.error().message;
    Random random(3);
    for (float& value : session->input_floats()) value = static_cast<float>(random.normal());
    ASSERT_TRUE(session->run()) << session->last_error();
    const auto logits = session->output_floats();
    ASSERT_EQ(logits.size(), 2'000U);
    double difference = 0.0;
    double size = 0.0;
    for (size_t i = 0; i < 1'000; ++i) {
      difference += std::pow(logits[i] - logits[1'000 + i], 2);
      size += std::pow(logits[i], 2);
    }
    EXPECT_GT(std::sqrt(size / 1'000.0), 0.05) << name;
    EXPECT_LT(std::sqrt(size / 1'000.0), 50.0) << name;
    EXPECT_GT(difference / size, 1e-4) << name;
  }
}

// ResNet-50 has 53 convolutions and a product, MobileNetV2 52 and one: all of them with integers.
TEST(Topology, QuantisedEveryLayerIsAnIntegerKernel) {
  for (const auto& [name, layers] : {std::pair("resnet50", 54U), std::pair("mobilenetv2", 53U)}) {
    const auto model = topology(name, {.size = 64});
    ASSERT_TRUE(model) << model.error().message;
    FakeDataset images(2, {3, 64, 64}, 11);
    const auto quantizer = Int8Quantizer::create(*model, images, {.method = CalibrationMethod::kMinMax});
    ASSERT_TRUE(quantizer) << quantizer.error().message;
    const auto quantized = quantizer->quantize();
    ASSERT_TRUE(quantized) << quantized.error().message;
    EXPECT_EQ(quantized->plan.weighted.size(), layers);
    EXPECT_TRUE(quantized->plan.left_float.empty());
    const auto kernels = inference::kernels(quantized->model);
    ASSERT_TRUE(kernels) << kernels.error().message;
    EXPECT_EQ(kernels->integer, layers) << name;
    EXPECT_EQ(kernels->left_float, 0U) << name;
    EXPECT_EQ(kernels->unfused_conv, 0U) << name;
  }
}

TEST(Topology, RefusesOtherNamesAndSizes) {
  const auto name = topology("resnet51");
  ASSERT_FALSE(name);
  EXPECT_THAT(name.error().message, HasSubstr("mobilenetv2"));
  for (const int64_t size : {int64_t{-1}, int64_t{31}, int64_t{1'025}}) {
    const auto bad = topology("resnet50", {.size = size});
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("32 to 1024"));
  }
}

}  // namespace
}  // namespace millwright::lab
