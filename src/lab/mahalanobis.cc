// SPDX-License-Identifier: Apache-2.0
#include "lab/mahalanobis.h"

#include <cmath>

#include "lab/covariance.h"
#include "lab/quadratic_form.h"

namespace millwright::lab {
namespace {

// Added to every variance, in units of the robust scale: a hundredth of a spread is the finest detail that features in
// single precision can be trusted with, be it along a direction in which features depend on each other exactly, or
// for a feature that never moved.
constexpr double kRidge = 1e-4;

// Below it no feature's variance is believed, in squares of the robust scale. A normal distribution has 1; far less has
// a feature whose scale its rare states set, all the more where the concentration steps left those states out. Without
// the floor a state that is taken in one normal window of a hundred lies ten spreads away and drowns all the rest.
// A tenth is what a state of one window in a hundred at three spreads amounts to.
constexpr double kLeastVariance = 0.1;

}  // namespace

std::unique_ptr<Detector> train_mahalanobis(const Rows& rows) {
  Scaling scaling = learn_scaling(rows);
  Covariance covariance = robust_covariance(scaling.apply(rows));
  // The covariance's own mean becomes the centre, so that one subtraction does both.
  scaling.centre += covariance.mean.cwiseProduct(scaling.scale);
  covariance.matrix.diagonal() = covariance.matrix.diagonal().cwiseMax(kLeastVariance).array() + kRidge;
  const Matrix root = symmetric_function(covariance.matrix, [](double v) { return 1.0 / std::sqrt(v); });
  return std::make_unique<QuadraticForm>(DetectorKind::kMahalanobis, std::move(scaling),
                                         root / std::sqrt(static_cast<double>(rows.cols())));
}

}  // namespace millwright::lab
