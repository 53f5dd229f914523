// SPDX-License-Identifier: Apache-2.0
#include "lab/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace millwright::lab {
namespace {

// The scores of tests/reference/detectors.py.
std::vector<double> normal_scores() {
  std::vector<double> s(60);
  for (size_t i = 0; i < s.size(); ++i) s[i] = std::sin(1.3 * static_cast<double>(i));
  return s;
}

std::vector<double> anomalous_scores() {
  std::vector<double> s(25);
  for (size_t i = 0; i < s.size(); ++i) s[i] = 0.6 + std::sin(2.1 * static_cast<double>(i));
  return s;
}

TEST(Auc, and_partial_auc_agree_with_scikit_learn) {
  EXPECT_NEAR(auc(normal_scores(), anomalous_scores()), 0.707333333333, 1e-11);
  EXPECT_NEAR(partial_auc(normal_scores(), anomalous_scores(), 0.1), 0.642105263158, 1e-11);
}

TEST(Auc, interval_agrees_with_delongs_definition) {
  const Interval ci = auc_ci95(normal_scores(), anomalous_scores());
  EXPECT_NEAR(ci.low, 0.576067929787, 1e-10);
  EXPECT_NEAR(ci.high, 0.811269938072, 1e-10);
}

TEST(Auc, counts_ties_half_and_needs_no_spread) {
  const std::vector<double> same(10, 1.0);
  EXPECT_EQ(auc(same, same), 0.5);
  EXPECT_EQ(partial_auc(same, same, 0.1), 0.5);
}

TEST(Auc, of_a_perfect_separation_does_not_pretend_to_be_certain) {
  const std::vector<double> low = {1, 2, 3, 4, 5};
  const std::vector<double> high = {6, 7, 8, 9, 10};
  const Interval ci = auc_ci95(low, high);
  EXPECT_EQ(auc(low, high), 1.0);
  EXPECT_EQ(partial_auc(low, high, 0.1), 1.0);
  EXPECT_EQ(ci.high, 1.0);
  EXPECT_LT(ci.low, 0.6);
}

TEST(Auc, interval_covers_the_truth_about_as_often_as_it_says) {
  // Two normal laws one deviation apart: the true AUC is Phi(1 / sqrt 2).
  const double truth = 0.5 * std::erfc(-1.0 / std::sqrt(2.0) / std::sqrt(2.0));
  Random random(17);
  int covered = 0;
  constexpr int kTrials = 400;
  for (int t = 0; t < kTrials; ++t) {
    std::vector<double> normal(60);
    std::vector<double> anomalous(40);
    for (double& v : normal) v = random.normal();
    for (double& v : anomalous) v = 1.0 + random.normal();
    const Interval ci = auc_ci95(normal, anomalous);
    covered += ci.low <= truth && truth <= ci.high ? 1 : 0;
  }
  EXPECT_GT(covered, 0.92 * kTrials);
  EXPECT_LT(covered, 0.99 * kTrials);
}

TEST(Share, interval_agrees_with_scipy) {
  const Interval ci = share_ci95(7, 50);
  EXPECT_NEAR(ci.low, 0.06950833427, 1e-9);
  EXPECT_NEAR(ci.high, 0.26186193711, 1e-9);
  EXPECT_EQ(share_ci95(0, 0).high, 1.0);
}

TEST(Confusion, gives_the_textbook_rates) {
  Confusion c;
  for (int i = 0; i < 8; ++i) c.count(true, i < 6);
  for (int i = 0; i < 10; ++i) c.count(false, i < 1);
  EXPECT_DOUBLE_EQ(c.tpr(), 0.75);
  EXPECT_DOUBLE_EQ(c.fpr(), 0.1);
  EXPECT_DOUBLE_EQ(c.f1(), 12.0 / 15.0);
  EXPECT_EQ(Confusion{}.f1(), 0.0);
}

}  // namespace
}  // namespace millwright::lab
