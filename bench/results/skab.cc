// SPDX-License-Identifier: Apache-2.0
// SKAB, a pump testbed: eight channels at 1 Hz, a fault in each file, and slow drift in all of them. Each file's first
// 400 rows are learned from, as its leaderboard does. How drift is met, and what was chosen why: docs/real-data.md.
#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/random.h"
#include "lab/covariance.h"
#include "lab/matrix.h"
#include "lab/threshold.h"
#include "recording/recording.h"
#include "results.h"

namespace millwright::results {
namespace {

using lab::Matrix;
using lab::Vector;

constexpr Eigen::Index kTrainRows = 400;
constexpr Eigen::Index kTrainRowsOfTrap = 100;  // other/2.csv: anomalous from row 104
constexpr int kBootstraps = 2'000;

struct Experiment {
  std::string name;
  Matrix rows;  // instants x 8
  std::vector<bool> anomalous;
  Eigen::Index train_rows = kTrainRows;
  [[nodiscard]] bool is_trap() const { return name == "other/2.csv"; }
};

Result<std::vector<Experiment>> load(const std::filesystem::path& folder) {
  std::vector<Experiment> experiments;
  for (const char* group : {"other", "valve1", "valve2"}) {
    for (const auto& path : MW_TRY(recording::list_recordings(folder / group))) {
      recording::ReadOptions channels;
      channels.skip_columns = {"anomaly", "changepoint"};
      const recording::Recording r = MW_TRY(recording::read_recording(path, channels));
      recording::ReadOptions label;
      label.columns = {"anomaly"};
      const recording::Recording truth = MW_TRY(recording::read_recording(path, label));
      if (r.channels != 8 || r.length != truth.length || r.length <= kTrainRows) {
        return fail(ErrorCode::kCorrupt, "{}: {} channels x {} rows are not an experiment", path.string(), r.channels,
                    r.length);
      }
      Experiment e{.name = std::string(group) + "/" + path.filename().string(), .rows = {}, .anomalous = {}};
      e.rows =
          Eigen::Map<const Eigen::MatrixXf>(r.samples.data(), static_cast<Eigen::Index>(r.length), 8).cast<double>();
      e.anomalous.reserve(truth.samples.size());
      for (const float v : truth.samples) e.anomalous.push_back(v > 0.5F);
      if (e.is_trap()) e.train_rows = kTrainRowsOfTrap;
      experiments.push_back(std::move(e));
    }
  }
  return experiments;
}

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

struct Method {
  const char* name;
  Eigen::Index window;  // rows
  double rate;          // stated false-alarm rate
  bool own_rows_only;   // the usual: covariance and threshold from the file's own training rows, drift unheeded
};

// Alerts per row of every experiment. Nothing here reads a label or a row beyond the training rows, but to score it.
Result<std::vector<std::vector<bool>>> run(const std::vector<Experiment>& all, const Method& method, uint64_t seed) {
  std::vector<Matrix> drifts;
  drifts.reserve(all.size());
  for (const Experiment& e : all) drifts.push_back(drift_of(e, method.window));
  std::vector<std::vector<bool>> alerts;
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

enum class RowsCounted { kAll, kAfterTraining };

std::vector<lab::Confusion> count(const std::vector<Experiment>& all, const std::vector<std::vector<bool>>& alerts,
                                  RowsCounted rows, bool with_trap) {
  std::vector<lab::Confusion> per_file;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_trap() && !with_trap) continue;
    lab::Confusion& c = per_file.emplace_back();
    const auto from = static_cast<size_t>(rows == RowsCounted::kAll ? 0 : kTrainRows);
    for (size_t r = from; r < alerts[i].size(); ++r) c.count(all[i].anomalous[r], alerts[i][r]);
  }
  return per_file;
}

void add(lab::Confusion& sum, const lab::Confusion& c) {
  sum.true_positive += c.true_positive;
  sum.false_positive += c.false_positive;
  sum.true_negative += c.true_negative;
  sum.false_negative += c.false_negative;
}

struct Figures {
  lab::Confusion all;
  lab::Interval f1;
  lab::Interval false_alarms;
};

// Intervals by drawing whole files again: rows of one file are anything but independent.
Figures summarise(const std::vector<lab::Confusion>& per_file, uint64_t seed) {
  Figures figures;
  for (const lab::Confusion& c : per_file) add(figures.all, c);
  Random random(seed);
  std::vector<double> f1;
  std::vector<double> fpr;
  f1.reserve(kBootstraps);
  fpr.reserve(kBootstraps);
  for (int b = 0; b < kBootstraps; ++b) {
    lab::Confusion drawn;
    for (size_t i = 0; i < per_file.size(); ++i) add(drawn, per_file[random.below(per_file.size())]);
    f1.push_back(drawn.f1());
    fpr.push_back(drawn.fpr());
  }
  figures.f1 = {.low = lab::quantile(f1, 0.025), .high = lab::quantile(f1, 0.975)};
  figures.false_alarms = {.low = lab::quantile(fpr, 0.025), .high = lab::quantile(fpr, 0.975)};
  return figures;
}

nlohmann::ordered_json report(const char* label, const Figures& f) {
  fmt::print("  {:<34} F1 {}   false alarms {:>5.1f} % [{:.1f}, {:.1f}]   missed {:>5.1f} %\n", label,
             with_interval(f.all.f1(), f.f1), 100 * f.all.fpr(), 100 * f.false_alarms.low, 100 * f.false_alarms.high,
             100 * (1.0 - f.all.tpr()));
  return {{"f1", f.all.f1()},
          {"f1_ci95", {f.f1.low, f.f1.high}},
          {"far", f.all.fpr()},
          {"far_ci95", {f.false_alarms.low, f.false_alarms.high}},
          {"mar", 1.0 - f.all.tpr()}};
}

}  // namespace

Status skab(const Options& options) {
  const std::vector<Experiment> all = MW_TRY(load(options.data / "skab"));
  size_t rows = 0;
  for (const Experiment& e : all) rows += e.anomalous.size();
  fmt::print("skab: {} experiments, {} rows; each is learned from its first {} rows (other/2.csv: {})\n", all.size(),
             rows, kTrainRows, kTrainRowsOfTrap);
  const Method methods[] = {
      {.name = "drift yardstick, 60 rows, 5 %", .window = 60, .rate = 0.05, .own_rows_only = false},
      {.name = "the same with 30 rows", .window = 30, .rate = 0.05, .own_rows_only = false},
      {.name = "the same with 10 rows", .window = 10, .rate = 0.05, .own_rows_only = false},
      {.name = "the same with 60 rows, 1 %", .window = 60, .rate = 0.01, .own_rows_only = false},
      {.name = "the same with 60 rows, 10 %", .window = 60, .rate = 0.10, .own_rows_only = false},
      {.name = "own rows only, 10 rows, 1 %", .window = 10, .rate = 0.01, .own_rows_only = true},
  };
  nlohmann::ordered_json line = {{"name", "skab"}, {"seed", options.seed}};
  for (const Method& method : methods) {
    const auto alerts = MW_TRY(run(all, method, options.seed));
    fmt::print("\n{}{}\n", method.name, &method == methods ? "  (the headline)" : "");
    nlohmann::ordered_json& of_method = line[method.name];
    const auto figures = [&](RowsCounted which, bool with_trap) {
      return summarise(count(all, alerts, which, with_trap), options.seed);
    };
    of_method["all"] = report("all rows", figures(RowsCounted::kAll, true));
    of_method["all_without_trap"] = report("all rows, other/2 left out", figures(RowsCounted::kAll, false));
    of_method["after"] = report("rows after 400", figures(RowsCounted::kAfterTraining, true));
    of_method["after_without_trap"] =
        report("rows after 400, other/2 left out", figures(RowsCounted::kAfterTraining, false));
  }
  fmt::print("\n{}\n", line.dump());
  return {};
}

}  // namespace millwright::results
