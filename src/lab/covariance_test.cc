// SPDX-License-Identifier: Apache-2.0
#include "lab/covariance.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>

#include <cmath>

#include "base/random.h"

namespace millwright::lab {
namespace {

// The rows of tests/reference/detectors.py.
Matrix formula_rows(Eigen::Index n, Eigen::Index f) {
  Matrix x(n, f);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < f; ++j) {
      const auto a = static_cast<double>(i);
      const auto b = static_cast<double>(j);
      x(i, j) = std::sin(0.37 * a * (b + 1) + 0.11 * b * b) + 1.5 * std::cos(1.7 * a);
    }
  }
  return x;
}

double squared_distance(const Covariance& c, const Vector& x) {
  const Vector d = x - c.mean;
  return d.dot(c.matrix.ldlt().solve(d));
}

// Reference values of scikit-learn 1.4.2: tests/reference/detectors.py.
TEST(LedoitWolf, agrees_with_scikit_learn_on_more_rows_than_features) {
  const Matrix x = formula_rows(40, 6);
  const Covariance c = ledoit_wolf(x);
  EXPECT_NEAR(c.shrinkage, 0.0496135640418, 1e-11);
  EXPECT_NEAR(c.matrix(0, 0), 1.59501240388, 1e-10);
  EXPECT_NEAR(c.matrix(0, 1), 1.10034893308, 1e-10);
  EXPECT_NEAR(squared_distance(c, x.row(0)), 4.83157880763, 1e-9);
  EXPECT_NEAR(squared_distance(c, Vector::Constant(6, 2.0)), 3.4255783799, 1e-9);
}

TEST(LedoitWolf, agrees_with_scikit_learn_on_fewer_rows_than_features) {
  const Matrix x = formula_rows(12, 30);
  const Covariance c = ledoit_wolf(x);
  EXPECT_NEAR(c.shrinkage, 0.121878852266, 1e-11);
  EXPECT_NEAR(c.matrix(5, 5), 1.75245657024, 1e-10);
  EXPECT_NEAR(squared_distance(c, x.row(3)), 10.3574046149, 1e-8);
  EXPECT_NEAR(squared_distance(c, Vector::Constant(30, 2.0)), 16.4793123128, 1e-8);
}

TEST(RobustCovariance, is_not_widened_by_a_few_strokes_of_running_in) {
  Random random(3);
  Matrix x(200, 4);
  for (Eigen::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal();
  const Covariance clean = robust_covariance(x.bottomRows(190));
  x.topRows(10).array() += 30.0;
  const Covariance robust = robust_covariance(x);
  EXPECT_LT((robust.matrix - clean.matrix).norm(), 1e-9);
  EXPECT_GT(ledoit_wolf(x).matrix(0, 0), 20.0);
}

TEST(RobustCovariance, keeps_every_row_of_clean_data) {
  Random random(5);
  Matrix x(300, 6);
  for (Eigen::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal();
  EXPECT_LT((robust_covariance(x).matrix - ledoit_wolf(x).matrix).norm(), 1e-12);
}

TEST(SymmetricFunction, of_the_inverse_root_whitens) {
  const Covariance c = ledoit_wolf(formula_rows(40, 6));
  const Matrix root = symmetric_function(c.matrix, [](double v) { return 1.0 / std::sqrt(v); });
  EXPECT_LT((root * c.matrix * root - Matrix::Identity(6, 6)).norm(), 1e-10);
  EXPECT_EQ((root - root.transpose()).norm(), 0.0);
}

}  // namespace
}  // namespace millwright::lab
