// SPDX-License-Identifier: Apache-2.0
#include "lab/pca.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <vector>

#include "lab/metrics.h"
#include "lab/quadratic_form.h"

namespace millwright::lab {
namespace {

constexpr double kLimitQuantile = 0.99;
constexpr double kVarianceFloor = 1e-9;  // of the largest eigenvalue: below it a component is rounding

double limit_of(const Vector& values) {
  const std::vector<double> copy(values.begin(), values.end());
  return quantile(copy, kLimitQuantile);
}

}  // namespace

std::unique_ptr<Detector> train_pca(const Rows& rows) {
  Scaling scaling = learn_scaling(rows);
  Matrix z = scaling.apply(rows);
  const Vector mean = z.colwise().mean();
  scaling.centre += mean.cwiseProduct(scaling.scale);
  z.rowwise() -= mean.transpose();

  const Matrix covariance = z.transpose() * z / static_cast<double>(z.rows());
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
  const Vector values = solver.eigenvalues().reverse().cwiseMax(0.0);
  const Matrix vectors = solver.eigenvectors().rowwise().reverse();
  const double total = values.sum();
  const double floor = kVarianceFloor * values[0];

  Eigen::Index kept = 0;
  for (double explained = 0.0; kept < values.size() && values[kept] > floor && explained < kExplainedVariance * total;
       ++kept) {
    explained += values[kept];
  }
  const Matrix plane = vectors.leftCols(kept);
  const Matrix whitened = z * plane * values.head(kept).cwiseSqrt().cwiseInverse().asDiagonal();
  const Matrix residual = z - z * plane * plane.transpose();
  const double t2_limit = kept > 0 ? limit_of(whitened.rowwise().squaredNorm()) : 1.0;
  const double q_limit = std::max(limit_of(residual.rowwise().squaredNorm()), 1e-6 * std::max(total, 1.0));

  // Root of P L^-1 P' / T2_99 + (I - P P') / Q_99: both parts are orthogonal, so each takes its own root.
  Matrix root = (Matrix::Identity(z.cols(), z.cols()) - plane * plane.transpose()) / std::sqrt(q_limit);
  root += plane * (values.head(kept) * t2_limit).cwiseSqrt().cwiseInverse().asDiagonal() * plane.transpose();
  root = (0.5 * (root + root.transpose())).eval();
  return std::make_unique<QuadraticForm>(DetectorKind::kPca, std::move(scaling), std::move(root));
}

}  // namespace millwright::lab
