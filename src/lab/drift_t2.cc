// SPDX-License-Identifier: Apache-2.0
#include "lab/drift_t2.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "lab/chi_squared.h"
#include "lab/scaling.h"

namespace millwright::lab {
namespace {

constexpr Eigen::Index kNoiseBlock = 20;  // rows: short enough that drift within one does not count
constexpr double kLeastNoise = 1e-6;      // in the channel's unit: a channel that rests has a band, too
constexpr Eigen::Index kDriftBlocks = 20;
constexpr Eigen::Index kLeastDriftBlock = 10;  // rows
// Distances at which wandering is measured, as shares of the learned rows: long enough to show, short enough that
// several pairs of blocks are that far apart.
constexpr std::array kLags = {0.25, 0.375, 0.5, 0.625, 0.75};
constexpr double kLeastRate = 1e-6;       // per row; what 400 rows cannot tell from none
constexpr Eigen::Index kWindow = 10;      // rows: a causal mean, as the published T2 of such testbeds takes
constexpr double kLeastHorizon = 1 / 3.;  // of the learned rows: the baseline is their mean, not their middle row
constexpr double kLimit = 0.99;           // the usual control limit

Matrix block_means(const Matrix& rows, Eigen::Index length) {
  Matrix means(rows.rows() / length, rows.cols());
  for (Eigen::Index i = 0; i < means.rows(); ++i) {
    means.row(i) = rows.middleRows(i * length, length).colwise().mean();
  }
  return means;
}

// The median over blocks is blind to a block in which a channel moved.
Vector learn_noise(const Matrix& rows) {
  const Eigen::Index blocks = rows.rows() / kNoiseBlock;
  Vector noise(rows.cols());
  std::vector<double> variances(static_cast<size_t>(blocks));
  for (Eigen::Index j = 0; j < rows.cols(); ++j) {
    for (Eigen::Index i = 0; i < blocks; ++i) {
      const auto block = rows.col(j).segment(i * kNoiseBlock, kNoiseBlock).array();
      variances[static_cast<size_t>(i)] = (block - block.mean()).square().sum() / (kNoiseBlock - 1.0);
    }
    noise[j] = std::pow(std::sqrt(median(variances)) + kLeastNoise, 2);
  }
  return noise;
}

// Block means that lie L blocks apart differ by the drift over that time and by the noise of both.
Vector learn_rate(const Matrix& rows, const Vector& noise) {
  const Eigen::Index length = std::max(kLeastDriftBlock, rows.rows() / kDriftBlocks);
  const Matrix means = block_means(rows, length);
  Vector rate(rows.cols());
  for (Eigen::Index j = 0; j < rows.cols(); ++j) {
    std::vector<double> estimates;
    estimates.reserve(kLags.size());
    for (const double share : kLags) {
      const auto lag = static_cast<Eigen::Index>(share * static_cast<double>(means.rows()));
      const Vector moved = means.col(j).tail(means.rows() - lag) - means.col(j).head(means.rows() - lag);
      const double of_noise = 2.0 * noise[j] / static_cast<double>(length);
      const double wandered = std::max(0.0, moved.array().square().mean() - of_noise);
      estimates.push_back(wandered / static_cast<double>(lag * length));
    }
    rate[j] = std::max(median(estimates) / noise[j], kLeastRate);
  }
  return rate;
}

}  // namespace

Result<DriftT2> DriftT2::learn(const Matrix& first_rows) {
  if (first_rows.rows() < kLeastDriftRows || first_rows.cols() < 1) {
    return fail(ErrorCode::kInvalidInput,
                "{} rows of {} channels are too few to learn noise and drift from: at least {}", first_rows.rows(),
                first_rows.cols(), kLeastDriftRows);
  }
  DriftT2 model;
  model.learned_ = static_cast<double>(first_rows.rows());
  model.limit_ = chi_squared_quantile(kLimit, static_cast<int>(first_rows.cols()));
  model.baseline_ = first_rows.colwise().mean();
  model.noise_ = learn_noise(first_rows);
  model.rate_ = learn_rate(first_rows, model.noise_);
  return model;
}

Matrix DriftT2::contributions(const Matrix& rows) const {
  MW_CHECK(rows.cols() == baseline_.size(), "the channels are those that were learned");
  const Matrix deviation = rows.rowwise() - baseline_.transpose();
  Matrix shares(rows.rows(), rows.cols());
  for (Eigen::Index t = 0; t < rows.rows(); ++t) {
    const Eigen::Index count = std::min(t + 1, kWindow);
    const Vector mean = deviation.middleRows(t + 1 - count, count).colwise().mean();
    const double horizon = std::max(std::abs(static_cast<double>(t) - 0.5 * learned_), kLeastHorizon * learned_);
    const Vector variance =
        noise_.array() * (1.0 / static_cast<double>(kWindow) + 1.0 / learned_ + rate_.array() * horizon);
    shares.row(t) = mean.array().square() / variance.array();
  }
  return shares;
}

}  // namespace millwright::lab
