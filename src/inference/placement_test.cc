// SPDX-License-Identifier: Apache-2.0
#include "inference/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/temporary_folder.h"
#include "inference/optimised.h"
#include "onnx/graph_builder.h"

namespace millwright::inference {
namespace {

using onnx::ElementType;

Bytes two_products() {
  onnx::GraphBuilder b("two");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 4});
  const auto h = b.node("Gemm", {x, b.constant(std::vector<float>(12, 0.5F), {4, 3})});
  const auto s = b.node("Softmax", {h});
  b.output(b.node("Gemm", {s, b.constant(std::vector<float>(6, 0.5F), {3, 2})}, {}, "y"), ElementType::kFloat,
           {"batch", 2});
  const auto bytes = b.finish();
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

TEST(Placement, NamesEveryKernelAndWhoRunsIt) {
  const Bytes model = two_products();
  const auto placed = placement(model);
  ASSERT_TRUE(placed) << placed.error().message;
  ASSERT_EQ(placed->size(), 3U);
  for (const PlacedNode& node : *placed) EXPECT_EQ(node.provider, "CPUExecutionProvider") << node.name;
  EXPECT_EQ((*placed)[1].op, "Softmax");
  // The same kernels as in the runtime's optimised form, by name.
  const auto expected = kernels(model);
  ASSERT_TRUE(expected) << expected.error().message;
  for (const Kernel& kernel : expected->nodes) {
    EXPECT_TRUE(std::ranges::any_of(*placed, [&](const PlacedNode& node) { return node.name == kernel.name; }))
        << kernel.name;
  }
}

TEST(Placement, LeavesNothingBehind) {
  const TemporaryFolder folder;
  ASSERT_EQ(::setenv("TMPDIR", folder.path().c_str(), 1), 0);
  EXPECT_TRUE(placement(two_products()));
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Placement, AProviderThatIsNotHereIsNamed) {
  const auto placed = placement(two_products(), {.provider = Provider::kOpenVino});
  ASSERT_FALSE(placed);
  EXPECT_THAT(placed.error().message, ::testing::HasSubstr("OpenVINO"));
}

TEST(Placement, ReadsAProfileThatMixesProvidersAndRefusesWhatIsNone) {
  const auto placed = read_profile(R"([
    {"cat":"Session","name":"model_run","args":{}},
    {"cat":"Node","name":"a_fence_before","args":{"op_name":"Conv"}},
    {"cat":"Node","name":"a_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider","node_index":"0"}},
    {"cat":"Node","name":"a_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider","node_index":"0"}},
    {"cat":"Node","name":"b_kernel_time","args":{"op_name":"NonZero","provider":"CPUExecutionProvider","node_index":"1"}},
    {"cat":"Node","name":"c_kernel_time","args":7}, 3])");
  ASSERT_TRUE(placed) << placed.error().message;
  ASSERT_EQ(placed->size(), 2U);
  EXPECT_EQ((*placed)[0].provider, "CUDAExecutionProvider");
  EXPECT_EQ((*placed)[1].name, "b");
  EXPECT_EQ((*placed)[1].op, "NonZero");
  EXPECT_FALSE(read_profile("{}"));
  EXPECT_FALSE(read_profile("[{\"cat\":"));
}

}  // namespace
}  // namespace millwright::inference
