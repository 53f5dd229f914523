// SPDX-License-Identifier: Apache-2.0
#include "lab/drift_t2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "lab/chi_squared.h"

namespace millwright::lab {
namespace {

constexpr Eigen::Index kLearned = 400;

// Noise of variance 1 around a level that gains `rate` of variance per row, for each channel.
Matrix wandering(Eigen::Index rows, const std::vector<double>& rates, uint64_t seed) {
  Random random(seed);
  Matrix x(rows, static_cast<Eigen::Index>(rates.size()));
  for (size_t j = 0; j < rates.size(); ++j) {
    double level = 20.0;
    for (Eigen::Index t = 0; t < rows; ++t) {
      level += std::sqrt(rates[j]) * random.normal();
      x(t, static_cast<Eigen::Index>(j)) = level + random.normal();
    }
  }
  return x;
}

DriftT2 learned_from(const Matrix& rows) {
  auto model = DriftT2::learn(rows.topRows(kLearned));
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

// Share of the rows from 400 to 800 that are alerted, over many recordings of normal running.
double false_alarms(const std::vector<double>& rates) {
  constexpr uint64_t kRecordings = 100;
  double alerts = 0.0;
  for (uint64_t seed = 1; seed <= kRecordings; ++seed) {
    const Matrix x = wandering(2 * kLearned, rates, seed);
    const DriftT2 model = learned_from(x);
    alerts += (model.scores(x).tail(kLearned).array() >= model.limit()).cast<double>().mean() / kRecordings;
  }
  return alerts;
}

TEST(ChiSquared, quantiles_agree_with_scipy) {  // SciPy 1.x, scipy.stats.chi2.ppf
  EXPECT_NEAR(chi_squared_quantile(0.99, 8), 20.0902350297, 1e-9);
  EXPECT_NEAR(chi_squared_quantile(0.99, 1), 6.63489660102, 1e-9);
  EXPECT_NEAR(chi_squared_quantile(0.95, 64), 83.6752607427, 1e-9);
  EXPECT_NEAR(chi_squared_quantile(0.5, 2), 1.38629436112, 1e-10);
}

TEST(DriftT2, finds_noise_and_drift_rate_apart) {
  const std::vector<double> rates = {0.0, 0.01, 0.5};
  std::vector<double> noise;
  std::vector<double> slow;
  std::vector<double> fast;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const DriftT2 model = learned_from(wandering(kLearned, rates, seed));
    noise.push_back(model.noise_variance()[0]);
    slow.push_back(model.drift_rate()[1]);
    fast.push_back(model.drift_rate()[2]);
    EXPECT_LT(model.drift_rate()[0], 0.002);
  }
  const auto middle = [](std::vector<double>& v) {
    std::ranges::sort(v);
    return v[v.size() / 2];
  };
  EXPECT_NEAR(middle(noise), 1.0, 0.1);
  EXPECT_NEAR(std::log(middle(slow) / 0.01), 0.0, std::log(2.0));
  EXPECT_NEAR(middle(fast), 0.15, 0.15);  // a level this restless passes for noise in part
}

TEST(DriftT2, keeps_to_its_rate_where_nothing_drifts) {
  const double share = false_alarms(std::vector<double>(8, 0.0));
  EXPECT_GT(share, 0.001);
  EXPECT_LT(share, 0.02);
}

TEST(DriftT2, bears_drift_that_a_fixed_band_would_not) {
  const std::vector<double> rates(8, 0.01);
  EXPECT_LT(false_alarms(rates), 0.25);
  double fixed = 0.0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Matrix x = wandering(2 * kLearned, rates, seed);
    const Vector mean = x.topRows(kLearned).colwise().mean();
    const Matrix d = x.rowwise() - mean.transpose();
    const Vector variance = d.topRows(kLearned).array().square().colwise().mean();
    const Vector t2 = (d.array().square().rowwise() / variance.transpose().array()).rowwise().sum();
    fixed += (t2.tail(kLearned).array() >= chi_squared_quantile(0.99, 8)).cast<double>().mean() / 20.0;
  }
  EXPECT_GT(fixed, 0.4);
}

TEST(DriftT2, blames_a_step_of_a_channel_that_rested_and_forgives_one_of_a_channel_that_wanders) {
  Matrix x = wandering(600, {0.0, 0.3, 0.0}, 7);
  const DriftT2 model = learned_from(x);
  Matrix moved = x;
  moved.bottomRows(100).col(2).array() += 4.0;
  const Vector blame = model.contributions(moved).row(599);
  EXPECT_GE(blame.sum(), model.limit());
  EXPECT_GT(blame[2], 0.8 * blame.sum());
  moved = x;
  moved.bottomRows(100).col(1).array() += 4.0;
  EXPECT_LT(model.contributions(moved)(599, 1), model.limit());
}

TEST(DriftT2, judges_a_row_by_nothing_that_comes_later) {
  const Matrix x = wandering(700, {0.0, 0.02}, 9);
  const DriftT2 model = learned_from(x);
  EXPECT_EQ(model.scores(x).head(550), model.scores(x.topRows(550)));
}

TEST(DriftT2, bears_a_channel_that_never_moved) {
  Matrix x = wandering(500, {0.0, 0.0}, 3);
  x.col(1).setConstant(32.0);
  const DriftT2 model = learned_from(x);
  EXPECT_TRUE(model.scores(x).allFinite());
  EXPECT_EQ(model.contributions(x).col(1).maxCoeff(), 0.0);
}

TEST(DriftT2, refuses_too_few_rows) {
  const auto few = DriftT2::learn(Matrix::Zero(59, 8));
  ASSERT_FALSE(few);
  EXPECT_NE(few.error().message.find("at least 60"), std::string::npos) << few.error().message;
}

// Eight channels of a SKAB table: after the time, before the two labels.
Matrix read_skab(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::vector<double> values;
  while (std::getline(file, line)) {
    size_t at = 0;
    for (int j = 0; j < 8; ++j) {
      at = line.find(';', at) + 1;
      values.push_back(std::strtod(line.c_str() + at, nullptr));
    }
  }
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(values.data(), static_cast<Eigen::Index>(values.size() / 8), 8);
}

void expect_close(double value, double reference) { EXPECT_NEAR(value, reference, 1e-5 * std::abs(reference)); }

// Reference values of an implementation in NumPy that shares no code with this one.
TEST(DriftT2, agrees_with_numpy_on_recordings_of_a_pump) {
  const char* given = std::getenv("MILLWRIGHT_DATA");
  const std::filesystem::path data =
      given != nullptr ? std::filesystem::path(given) : std::filesystem::path(MILLWRIGHT_SOURCE_DIR) / "../shared/data";
  const std::filesystem::path folder = data / "skab";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no recordings at " << folder << "; set MILLWRIGHT_DATA";
  struct Reference {
    const char* file;
    std::vector<std::pair<Eigen::Index, double>> scores;
    int alerts;
  };
  const Reference references[] = {
      {.file = "valve1/0.csv",
       .scores = {{0, 4.194243}, {9, 5.141074}, {399, 4.040324}, {400, 3.343656}, {600, 22.195938}, {800, 22.983133}},
       .alerts = 60},
      {.file = "other/1.csv",
       .scores = {{0, 38.2281495}, {9, 5.3193149}, {399, 5.1132868}, {400, 4.200725}, {600, 22.6711454}},
       .alerts = 151},
      {.file = "valve2/3.csv",
       .scores = {{0, 5.3230407}, {9, 9.4778652}, {400, 3.9604414}, {600, 9.9994978}, {700, 675.1570224}},
       .alerts = 306},
  };
  for (const Reference& reference : references) {
    SCOPED_TRACE(reference.file);
    const Matrix rows = read_skab(folder / reference.file);
    const DriftT2 model = learned_from(rows);
    const Vector scores = model.scores(rows);
    for (const auto& [row, score] : reference.scores) expect_close(scores[row], score);
    EXPECT_EQ((scores.array() >= model.limit()).count(), reference.alerts);
  }
  const DriftT2 model = learned_from(read_skab(folder / "valve1" / "0.csv"));
  const double noise[] = {6.920095e-08, 3.888980e-07, 5.120822e-02, 6.834256e-02,
                          7.004449e-03, 3.601250e-05, 1.009844e+02, 1.606233e-01};
  const double rate[] = {3.932509e-03, 3.958329e-03, 7.519012e-03, 1.132106e-06,
                         5.938970e-01, 5.907953e-01, 2.336920e-04, 7.159245e-05};
  for (Eigen::Index j = 0; j < 8; ++j) {
    expect_close(model.noise_variance()[j], noise[j]);
    expect_close(model.drift_rate()[j], rate[j]);
  }
}

}  // namespace
}  // namespace millwright::lab
