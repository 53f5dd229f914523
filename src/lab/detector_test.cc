// SPDX-License-Identifier: Apache-2.0
// Every detector passes one suite; what is special to one stands below it.
#include "lab/detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "lab/metrics.h"
#include "lab/run_model.h"

namespace millwright::lab {
namespace {

// Correlated features of very different magnitudes, as vibration features are: every second one is a power.
Rows normal_rows(Eigen::Index n, Eigen::Index features, uint64_t seed) {
  Random random(seed);
  Rows rows(n, features);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double common = random.normal();
    for (Eigen::Index j = 0; j < features; ++j) {
      const double z = 0.7 * common + 0.7 * random.normal();
      rows(i, j) = static_cast<float>(j % 2 == 0 ? 5.0 + 0.1 * z : 1e4 * std::exp(0.2 * z));
    }
  }
  return rows;
}

model::Bundle bundle_of(const Detector& detector) {
  model::Bundle bundle;
  auto bytes = detector.to_onnx();
  EXPECT_TRUE(bytes) << bytes.error().message;
  if (bytes) bundle.model = *std::move(bytes);
  return bundle;
}

class EveryDetector : public testing::TestWithParam<DetectorKind> {};

TEST_P(EveryDetector, gives_the_same_numbers_as_its_onnx_model) {
  const Rows train = normal_rows(300, 13, 1);
  Rows probe = normal_rows(150, 13, 2);
  probe.topRows(20).col(3) *= 4.0F;
  probe.row(30).setConstant(0.0F);
  const auto detector = train_detector(GetParam(), train, 7);
  const auto run = run_model(bundle_of(*detector), probe);
  ASSERT_TRUE(run) << run.error().message;
  const Vector expected = detector->scores(probe);
  const Matrix shares = detector->contributions(probe);
  ASSERT_EQ(run->contributions.cols(), 13);
  for (Eigen::Index i = 0; i < probe.rows(); ++i) {
    EXPECT_NEAR(run->raw[static_cast<size_t>(i)], expected[i], 1e-3 * expected[i] + 1e-5) << "row " << i;
    const double scale = shares.row(i).sum();
    for (Eigen::Index j = 0; j < 13; ++j) {
      EXPECT_NEAR(run->contributions(i, j), shares(i, j), 2e-3 * scale + 1e-6) << "row " << i << " feature " << j;
    }
  }
}

TEST_P(EveryDetector, scores_a_shifted_feature_above_normal_and_blames_it) {
  const auto detector = train_detector(GetParam(), normal_rows(500, 12, 3), 7);
  const Rows normal = normal_rows(200, 12, 4);
  Rows shifted = normal;
  shifted.col(6).array() += 1.5F;
  const Vector low = detector->scores(normal);
  const Vector high = detector->scores(shifted);
  // A forest cuts one feature in twelve at a time: it sees a single feature's shift least of all.
  const double least = GetParam() == DetectorKind::kIsolationForest ? 0.65 : 0.95;
  EXPECT_GT(auc({low.data(), static_cast<size_t>(low.size())}, {high.data(), static_cast<size_t>(high.size())}), least);
  const Matrix shares = detector->contributions(shifted);
  EXPECT_GE(shares.minCoeff(), 0.0);
  Eigen::Index blamed = -1;
  shares.colwise().sum().maxCoeff(&blamed);
  EXPECT_EQ(blamed, 6);
}

TEST_P(EveryDetector, is_the_same_bytes_for_the_same_rows_and_seed) {
  const Rows train = normal_rows(100, 9, 5);
  const auto a = train_detector(GetParam(), train, 11)->to_onnx();
  const auto b = train_detector(GetParam(), train, 11)->to_onnx();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
}

TEST_P(EveryDetector, works_with_far_more_features_than_rows) {
  const auto detector = train_detector(GetParam(), normal_rows(12, 64, 6), 1);
  const Rows normal = normal_rows(40, 64, 7);
  const Vector scores = detector->scores(normal);
  EXPECT_TRUE(scores.allFinite());
  Rows far = normal;
  far.leftCols(16) *= 3.0F;
  const Vector high = detector->scores(far);
  EXPECT_GT(auc({scores.data(), static_cast<size_t>(scores.size())}, {high.data(), static_cast<size_t>(high.size())}),
            0.9);
}

TEST_P(EveryDetector, bears_features_that_never_move_and_rows_that_repeat) {
  Rows train = normal_rows(60, 6, 8);
  train.col(2).setConstant(42.0F);
  train.col(4).setZero();
  train.bottomRows(20).rowwise() = train.row(0);
  const auto detector = train_detector(GetParam(), train, 1);
  EXPECT_TRUE(detector->scores(train).allFinite());
  const auto run = run_model(bundle_of(*detector), train);
  EXPECT_TRUE(run) << run.error().message;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryDetector, testing::ValuesIn(kDetectorKinds), [](const auto& which) {
  std::string label(name(which.param));
  std::ranges::replace(label, '-', '_');
  return label;
});

// Thresholds come from other forests (the folds') than the one that is written: their scores must be comparable.
TEST(IsolationForest, scores_of_all_seeds_lie_on_one_level) {
  const auto independent = [](Eigen::Index n, uint64_t seed) {
    Random random(seed);
    Rows rows(n, 64);
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < 64; ++j) rows(i, j) = static_cast<float>(random.normal());
    }
    return rows;
  };
  const Rows fresh = independent(2000, 9);
  for (const Eigen::Index learned : {480, 600}) {
    const Rows rows = independent(learned, 8);
    std::vector<double> levels;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      const Vector scores = train_detector(DetectorKind::kIsolationForest, rows, seed)->scores(fresh);
      levels.push_back(quantile({scores.data(), static_cast<size_t>(scores.size())}, 0.5));
    }
    const auto [low, high] = std::ranges::minmax(levels);
    EXPECT_LE(high - low, 0.005) << learned << " rows";
  }
}

TEST(Detector, names_are_those_of_the_command_line) {
  for (const DetectorKind kind : kDetectorKinds) EXPECT_EQ(detector_from(name(kind)), kind);
  EXPECT_FALSE(detector_from("autoencoder"));
}

TEST(NearestNeighbour, knows_two_ways_of_running_normally_where_one_cloud_would_not) {
  Rows train = normal_rows(400, 4, 9);
  train.topRows(200).col(0).array() += 10.0F;
  Rows between = normal_rows(100, 4, 10);
  between.col(0).array() += 5.0F;
  const auto detector = train_detector(DetectorKind::kNearestNeighbour, train, 1);
  const Vector normal = detector->scores(normal_rows(100, 4, 11));
  EXPECT_GT(detector->scores(between).minCoeff(), quantile({normal.data(), static_cast<size_t>(normal.size())}, 0.5));
}

}  // namespace
}  // namespace millwright::lab
