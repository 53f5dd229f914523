// SPDX-License-Identifier: Apache-2.0
#include "lab/covariance.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "lab/scaling.h"

namespace millwright::lab {
namespace {

constexpr int kConcentrationSteps = 5;
// Rows beyond this many robust spreads of the distances are outliers; normal data of any dimension stay below it.
constexpr double kOutlierSpreads = 5.0;

Vector squared_distances(const Matrix& rows, const Covariance& c) {
  const Matrix whitener = symmetric_function(c.matrix, [](double v) { return v > 0.0 ? 1.0 / std::sqrt(v) : 0.0; });
  return ((rows.rowwise() - c.mean.transpose()) * whitener).rowwise().squaredNorm();
}

// Rows to keep, in their order: everything but the far outliers, and never fewer than 1 - kTrimmedShare.
std::vector<Eigen::Index> central_rows(const Vector& squared) {
  const auto n = static_cast<size_t>(squared.size());
  std::vector<double> distance(n);
  std::ranges::transform(squared, distance.begin(), [](double v) { return std::sqrt(v); });
  std::vector<double> work = distance;
  const double centre = median(work);
  std::ranges::transform(distance, work.begin(), [centre](double v) { return std::abs(v - centre); });
  const double limit = centre + kOutlierSpreads * 1.4826 * median(work);

  std::vector<Eigen::Index> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](Eigen::Index i) { return squared[i]; });
  const auto least = static_cast<size_t>(std::ceil((1.0 - kTrimmedShare) * static_cast<double>(n)));
  size_t keep = n;
  while (keep > least && distance[static_cast<size_t>(order[keep - 1])] > limit) --keep;
  order.resize(keep);
  std::ranges::sort(order);
  return order;
}

}  // namespace

Covariance ledoit_wolf(const Matrix& rows) {
  MW_CHECK(rows.rows() >= 2, "a covariance needs two rows");
  const auto n = static_cast<double>(rows.rows());
  const auto p = static_cast<double>(rows.cols());
  Covariance c;
  c.mean = rows.colwise().mean();
  const Matrix x = rows.rowwise() - c.mean.transpose();
  const Matrix sample = (x.transpose() * x) / n;
  const double mu = sample.trace() / p;
  const double delta = (sample.squaredNorm() - p * mu * mu);  // ||S - mu I||^2
  const Matrix squares = x.array().square();
  // sum over rows of ||x x' - S||^2 / n^2, without forming the products
  const double beta = std::max(0.0, (squares.rowwise().sum().squaredNorm() / n - sample.squaredNorm()) / n);
  c.shrinkage = delta > 0.0 ? std::min(beta / delta, 1.0) : 0.0;
  c.matrix = (1.0 - c.shrinkage) * sample;
  c.matrix.diagonal().array() += c.shrinkage * mu;
  return c;
}

Covariance robust_covariance(const Matrix& rows) {
  Covariance c = ledoit_wolf(rows);
  std::vector<Eigen::Index> kept;
  for (int step = 0; step < kConcentrationSteps; ++step) {
    std::vector<Eigen::Index> central = central_rows(squared_distances(rows, c));
    if (central == kept) break;
    kept = std::move(central);
    c = ledoit_wolf(rows(kept, Eigen::all));
  }
  return c;
}

Matrix symmetric_function(const Matrix& matrix, double (*f)(double)) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix);
  const Vector mapped = solver.eigenvalues().unaryExpr(f);
  const Matrix product = solver.eigenvectors() * mapped.asDiagonal() * solver.eigenvectors().transpose();
  return 0.5 * (product + product.transpose());
}

}  // namespace millwright::lab
