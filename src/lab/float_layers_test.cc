// SPDX-License-Identifier: Apache-2.0
#include "lab/float_layers.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lab/calibration_record.h"
#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

class FloatLayers : public testing::Test {
 protected:
  FloatLayers() {
    auto made = Int8Quantizer::create(before_, samples_, {.method = CalibrationMethod::kMinMax});
    EXPECT_TRUE(made) << made.error().message;
    quantizer_.emplace(*std::move(made));
  }

  Bytes before_ = residual_network();
  FakeDataset samples_{40, {2, 8, 8}, 7};
  FakeDataset fresh_{200, {2, 8, 8}, 8};
  std::optional<Int8Quantizer> quantizer_;
};

TEST_F(FloatLayers, EachLayerHasAFiniteNoiseAndTheWorstStandsFirst) {
  const auto layers = layer_errors(*quantizer_, {}, samples_);
  ASSERT_TRUE(layers) << layers.error().message;
  ASSERT_EQ(layers->size(), 3U);
  for (const LayerError& layer : *layers) {
    EXPECT_GT(layer.sqnr_db, 15.0) << layer.node;
    EXPECT_LT(layer.sqnr_db, 80.0) << layer.node;
  }
  EXPECT_TRUE(std::ranges::is_sorted(*layers, std::greater(), &LayerError::gain_db));
}

TEST_F(FloatLayers, TheSearchEndsWhereTheGateHolds) {
  const auto layers = layer_errors(*quantizer_, {}, samples_);
  ASSERT_TRUE(layers);
  const Gate wide{.before = before_, .validation = fresh_, .compare = {}, .max_drop = 50.0};
  const auto found = search_float_layers(*quantizer_, {}, *layers, wide);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->held);
  EXPECT_TRUE(found->float_nodes.empty());

  const Gate impossible{.before = before_, .validation = fresh_, .compare = {}, .max_drop = -1.0};
  const auto never = search_float_layers(*quantizer_, {}, *layers, impossible);
  ASSERT_TRUE(never);
  EXPECT_FALSE(never->held);
}

TEST_F(FloatLayers, ALayerLeftInFloatIsNoWorse) {
  const auto layers = layer_errors(*quantizer_, {}, samples_);
  ASSERT_TRUE(layers);
  EXPECT_GT(layers->front().gain_db, 0.0);
}

TEST(CalibrationRecord, ComesBackAsItWas) {
  const CalibrationRecord record{
      .key = {.model_digest = "aa", .data_digest = "bb", .method = "mse", .tool_version = "1"},
      .ranges = {{"x", {-1.5F, 2.25F}}, {"y", {0.0F, 0.1F}}}};
  const auto back = read_calibration_record(to_json(record));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->key, record.key);
  EXPECT_EQ(back->ranges, record.ranges);
  EXPECT_FALSE(read_calibration_record("{}"));
  EXPECT_FALSE(read_calibration_record("{\"format\":1,\"ranges\":{\"x\":[1,2]}}"));
}

TEST(CalibrationRecord, TensorRtReadsScalesAsHexadecimalFloats) {
  const CalibrationRecord record{.key = {.method = "entropy"}, .ranges = {{"input", {-127.0F, 100.0F}}}};
  EXPECT_EQ(tensorrt_cache(record), "TRT-8600-EntropyCalibration2\ninput: 3f800000\n");
}

}  // namespace
}  // namespace millwright::lab
