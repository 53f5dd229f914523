// SPDX-License-Identifier: Apache-2.0
#include "inference/feature_scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "onnx/graph_builder.h"

namespace millwright::inference {
namespace {

using model::ScoreKind;
using onnx::ElementType;
using onnx::GraphBuilder;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Score = sum of squares of the features, shares = the squares.
Bytes sum_of_squares(int64_t features) {
  GraphBuilder b("squares");
  const auto x = b.input("x", ElementType::kFloat, {"batch", features});
  const auto squares = b.node("Mul", {x, x}, {}, "shares");
  const std::array<int64_t, 1> axis = {1};
  b.output(b.node("ReduceSum", {squares, b.constant(axis, {1})}, {}, "score"), ElementType::kFloat, {"batch", 1});
  b.output(squares, ElementType::kFloat, {"batch", features});
  return b.finish().value();
}

// "Reconstructs" x as x / 2.
Bytes half(int64_t features) {
  GraphBuilder b("half");
  const auto x = b.input("x", ElementType::kFloat, {"batch", features});
  b.output(b.node("Mul", {x, b.scalar(0.5F)}, {}, "y"), ElementType::kFloat, {"batch", features});
  return b.finish().value();
}

TEST(FeatureScorer, ReadsScoreAndSharesFromTheOutputs) {
  const Bytes bytes = sum_of_squares(3);
  auto scorer = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kOutput, .feature_count = 3}, 2);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  std::ranges::copy(std::array{1.0F, 2.0F, 3.0F}, scorer->row(0).begin());
  std::ranges::copy(std::array{0.0F, 1.0F, 1.0F}, scorer->row(1).begin());
  ASSERT_TRUE(scorer->run(2));
  EXPECT_EQ(scorer->scored(0).raw, 14.0);
  EXPECT_THAT(scorer->scored(0).contributions, ElementsAre(1, 4, 9));
  EXPECT_EQ(scorer->scored(1).raw, 2.0);
}

TEST(FeatureScorer, ScoresAReconstructionByItsMeanSquaredError) {
  const Bytes bytes = half(4);
  auto scorer = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kReconstruction, .feature_count = 4}, 1);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  std::ranges::copy(std::array{2.0F, 4.0F, 0.0F, 0.0F}, scorer->row(0).begin());
  ASSERT_TRUE(scorer->run(1));
  EXPECT_THAT(scorer->scored(0).raw, DoubleNear((1.0 + 4.0) / 4.0, 1e-12));
  EXPECT_THAT(scorer->scored(0).contributions, ElementsAre(1, 4, 0, 0));
}

TEST(FeatureScorer, NormalisesBeforeTheModel) {
  const Bytes bytes = sum_of_squares(2);
  const std::array<float, 2> mean = {1.0F, 10.0F};
  const std::array<float, 2> scale = {2.0F, 5.0F};
  auto scorer = FeatureScorer::create(
      {.model = bytes, .kind = ScoreKind::kOutput, .feature_count = 2, .mean = mean, .scale = scale}, 1);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  std::ranges::copy(std::array{5.0F, 0.0F}, scorer->row(0).begin());
  ASSERT_TRUE(scorer->run(1));
  EXPECT_THAT(scorer->scored(0).contributions, ElementsAre(4, 4));
}

TEST(FeatureScorer, RowsBeyondTheBatchGoThroughInPieces) {
  const Bytes bytes = sum_of_squares(1);
  auto scorer = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kOutput, .feature_count = 1}, 4);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  const std::array<float, 6> rows = {1, 2, 3, 4, 5, 6};
  std::array<double, 6> scores{};
  ASSERT_TRUE(scorer->score_rows(rows, scores));
  EXPECT_THAT(scores, ElementsAre(1, 4, 9, 16, 25, 36));
}

TEST(FeatureScorer, NaNComesOutAsNaNAndStaysInItsRow) {
  for (const bool reconstruction : {false, true}) {
    const Bytes bytes = reconstruction ? half(2) : sum_of_squares(2);
    auto scorer = FeatureScorer::create(
        {.model = bytes, .kind = reconstruction ? ScoreKind::kReconstruction : ScoreKind::kOutput, .feature_count = 2},
        2);
    ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
    const std::array<float, 4> rows = {std::numeric_limits<float>::quiet_NaN(), 1, 2, 2};
    std::array<double, 2> scores{};
    EXPECT_TRUE(scorer->score_rows(rows, scores));
    EXPECT_TRUE(std::isnan(scores[0]));
    EXPECT_TRUE(std::isfinite(scores[1]));
  }
}

TEST(FeatureScorer, AModelThatFailsGivesNaNAndAReason) {
  GraphBuilder b("fails");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 1});
  const auto index = b.node("Cast", {x}, {GraphBuilder::attribute("to", 7)});
  const std::array<float, 2> table = {1, 2};
  b.output(b.node("Gather", {b.constant(table, {2}), index}, {}, "y"), ElementType::kFloat, {"batch", 1});
  const Bytes bytes = b.finish().value();
  auto scorer = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kOutput, .feature_count = 1}, 1);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  scorer->row(0)[0] = 50.0F;
  EXPECT_FALSE(scorer->run(1));
  EXPECT_TRUE(std::isnan(scorer->scored(0).raw));
  EXPECT_THAT(scorer->last_error(), HasSubstr("run"));
}

TEST(FeatureScorer, ShapesThatDoNotFitAreRefusedWithBothShapes) {
  const Bytes bytes = half(4);
  const auto wide = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kReconstruction, .feature_count = 5}, 2);
  ASSERT_FALSE(wide.has_value());
  EXPECT_THAT(wide.error().message, HasSubstr("(2, 4), wanted is (2, 5)"));
  const auto score = FeatureScorer::create({.model = bytes, .kind = ScoreKind::kOutput, .feature_count = 4}, 2);
  ASSERT_FALSE(score.has_value());
  EXPECT_THAT(score.error().message, HasSubstr("score 'y' has shape (2, 4), wanted is (2, 1)"));
}

TEST(FeatureScorer, AScaleOfZeroIsRefused) {
  const Bytes bytes = half(1);
  const std::array<float, 1> zero = {0.0F};
  const auto scorer = FeatureScorer::create(
      {.model = bytes, .kind = ScoreKind::kReconstruction, .feature_count = 1, .mean = zero, .scale = zero}, 1);
  ASSERT_FALSE(scorer.has_value());
  EXPECT_THAT(scorer.error().message, HasSubstr("feature 0"));
}

}  // namespace
}  // namespace millwright::inference
