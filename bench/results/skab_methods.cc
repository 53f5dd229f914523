// SPDX-License-Identifier: Apache-2.0
#include "skab_methods.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "lab/covariance.h"
#include "lab/drift_t2.h"
#include "lab/threshold.h"

namespace millwright::results {
namespace {

using lab::Matrix;
using lab::Vector;

// How far each row's mean over the last `window` rows lies from the first `calibration` rows, in their deviations.
Matrix deviations(const Matrix& rows, Eigen::Index calibration, Eigen::Index window) {
  const Matrix base = rows.topRows(calibration);
  const Vector mean = base.colwise().mean();
  const Vector spread = ((base.rowwise() - mean.transpose()).array().square().colwise().mean().sqrt()).max(1e-12);
  const Matrix z = (rows.rowwise() - mean.transpose()).array().rowwise() / spread.transpose().array();
  Matrix smooth(z.rows(), z.cols());
  Vector sum = Vector::Zero(z.cols());
  for (Eigen::Index i = 0; i < z.rows(); ++i) {
    sum += z.row(i).transpose();
    if (i >= window) sum -= z.row(i - window).transpose();
    smooth.row(i) = sum.transpose() / static_cast<double>(std::min(i + 1, window));
  }
  return smooth;
}

Vector distances(const Matrix& deviation, const Matrix& covariance) {
  const Eigen::LLT<Matrix> factor(covariance);
  const Matrix whitened = factor.matrixL().solve(deviation.transpose());
  return whitened.colwise().norm();
}

// What normal running does after a calibration: the second half of the training rows seen from the first half.
Matrix drift_of(const Experiment& e, Eigen::Index window) {
  const Eigen::Index half = e.train_rows / 2;
  return deviations(e.rows.topRows(e.train_rows), half, window).bottomRows(e.train_rows - half);
}

}  // namespace

Result<Alerts> drift_t2_alerts(const std::vector<Experiment>& all) {
  Alerts alerts;
  for (const Experiment& e : all) {
    const lab::DriftT2 model = MW_TRY_IN(e.name, lab::DriftT2::learn(e.rows.topRows(e.train_rows)));
    std::vector<bool>& of_file = alerts.emplace_back();
    of_file.reserve(static_cast<size_t>(e.rows.rows()));
    for (const double score : model.scores(e.rows)) of_file.push_back(score >= model.limit());
  }
  return alerts;
}

Alerts clock_alerts(const std::vector<Experiment>& all, Eigen::Index row) {
  Alerts alerts;
  for (const Experiment& e : all) {
    std::vector<bool>& of_file = alerts.emplace_back(e.anomalous.size(), true);
    std::fill_n(of_file.begin(), std::min(row, e.rows.rows()), false);
  }
  return alerts;
}

// Alerts per row of every experiment. Nothing here reads a label or a row beyond the training rows, but to score it.
Result<Alerts> skab_alerts(const std::vector<Experiment>& all, const SkabMethod& method, uint64_t seed) {
  std::vector<Matrix> drifts;
  drifts.reserve(all.size());
  for (const Experiment& e : all) drifts.push_back(drift_of(e, method.window));
  Alerts alerts;
  for (size_t i = 0; i < all.size(); ++i) {
    const Matrix deviation = deviations(all[i].rows, all[i].train_rows, method.window);
    Matrix covariance;
    std::vector<double> normal;
    if (method.own_rows_only) {
      const Matrix own = deviation.topRows(all[i].train_rows);
      covariance = lab::ledoit_wolf(own).matrix;
      const Vector d = distances(own, covariance);
      normal.assign(d.begin(), d.end());
    } else {
      // The other experiments' drift: none of the file under test is in its own yardstick.
      covariance = Matrix::Zero(8, 8);
      double files = 0.0;
      for (size_t j = 0; j < all.size(); ++j) {
        if (j == i || all[j].is_trap()) continue;
        covariance += drifts[j].transpose() * drifts[j] / static_cast<double>(drifts[j].rows());
        files += 1.0;
      }
      covariance /= files;
      for (size_t j = 0; j < all.size(); ++j) {
        if (j == i || all[j].is_trap()) continue;
        const Vector d = distances(drifts[j], covariance);
        normal.insert(normal.end(), d.begin(), d.end());
      }
    }
    const lab::ThresholdFit fit = MW_TRY(lab::fit_threshold(normal, {.false_alarm_rate = method.rate, .seed = seed}));
    const Vector score = distances(deviation, covariance);
    std::vector<bool>& of_file = alerts.emplace_back();
    of_file.reserve(static_cast<size_t>(score.size()));
    for (const double s : score) of_file.push_back(fit.threshold.is_alert(s));
  }
  return alerts;
}

}  // namespace millwright::results
