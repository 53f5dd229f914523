// SPDX-License-Identifier: Apache-2.0
#include "lab/threshold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "lab/tail.h"

namespace millwright::lab {
namespace {

struct Law {
  const char* name;
  std::function<double(Random&)> draw;
  std::function<double(double)> exceedance;
};

double squared_sum(Random& random, int n) {
  double sum = 0.0;
  for (int i = 0; i < n; ++i) sum += std::pow(random.normal(), 2);
  return sum;
}

const std::vector<Law>& laws() {
  static const std::vector<Law> all = {
      {"exponential", [](Random& r) { return -std::log(1.0 - r.uniform()); }, [](double x) { return std::exp(-x); }},
      {"normal", [](Random& r) { return r.normal(); }, [](double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); }},
      // Chi of 4 degrees of freedom: a Mahalanobis distance.
      {"chi4", [](Random& r) { return std::sqrt(squared_sum(r, 4)); },
       [](double x) { return x <= 0 ? 1.0 : std::exp(-x * x / 2) * (1 + x * x / 2); }},
      {"lognormal", [](Random& r) { return std::exp(0.5 * r.normal()); },
       [](double x) { return x <= 0 ? 1.0 : 0.5 * std::erfc(std::log(x) / 0.5 / std::sqrt(2.0)); }},
  };
  return all;
}

std::vector<double> sample(const Law& law, size_t n, uint64_t seed) {
  Random random(seed);
  std::vector<double> scores(n);
  for (double& s : scores) s = law.draw(random);
  return scores;
}

struct Case {
  size_t windows;
  double rate;
};

// Over many recordings from a known law: how often the interval holds the true quantile, and the mean realised rate.
TEST(Threshold, has_the_stated_rate_in_expectation_and_its_interval_covers_the_truth) {
  constexpr int kTrials = 60;
  for (const Case c : {Case{200, 0.01}, Case{200, 0.001}, Case{800, 0.001}, Case{2000, 0.05}}) {
    for (const Law& law : laws()) {
      int covered = 0;
      double realised = 0.0;
      for (int trial = 0; trial < kTrials; ++trial) {
        const auto seed = static_cast<uint64_t>(trial) * 977 + c.windows;
        const auto fit = fit_threshold(sample(law, c.windows, seed), {.false_alarm_rate = c.rate, .seed = seed});
        ASSERT_TRUE(fit) << fit.error().message;
        const model::Threshold& t = fit->threshold;
        covered += law.exceedance(t.ci95_low) >= c.rate && law.exceedance(t.ci95_high) <= c.rate ? 1 : 0;
        realised += law.exceedance(t.threshold) / kTrials;
        ASSERT_TRUE(t.validate());
      }
      // Where not one exceedance is expected in the data, a factor of two and a half is what can be had.
      const double most = static_cast<double>(c.windows) * c.rate < 1.0 ? 2.5 : 1.5;
      // The nominal 95 % is reached nearly: tails are extrapolated, and the laws are not Pareto.
      EXPECT_GE(covered, static_cast<int>(0.83 * kTrials)) << law.name << " n " << c.windows << " rate " << c.rate;
      EXPECT_GT(realised, 0.4 * c.rate) << law.name << " n " << c.windows << " rate " << c.rate;
      EXPECT_LT(realised, most * c.rate) << law.name << " n " << c.windows << " rate " << c.rate;
    }
  }
}

TEST(Threshold, is_the_same_for_the_same_seed) {
  const std::vector<double> scores = sample(laws()[2], 300, 5);
  const auto a = fit_threshold(scores, {.false_alarm_rate = 0.001, .seed = 9});
  const auto b = fit_threshold(scores, {.false_alarm_rate = 0.001, .seed = 9});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->threshold.threshold, b->threshold.threshold);
  EXPECT_EQ(a->threshold.ci95_high, b->threshold.ci95_high);
}

TEST(Threshold, rises_as_the_rate_falls_and_severities_lie_above_it_in_order) {
  const std::vector<double> scores = sample(laws()[2], 500, 11);
  double last = 0.0;
  for (const double rate : {0.05, 0.01, 0.001, 1e-4}) {
    const auto fit = fit_threshold(scores, {.false_alarm_rate = rate});
    ASSERT_TRUE(fit);
    const model::Threshold& t = fit->threshold;
    EXPECT_GT(t.threshold, last);
    EXPECT_GT(t.high, t.threshold);
    EXPECT_GE(t.critical, t.high);
    EXPECT_LE(t.ci95_low, t.threshold);
    EXPECT_GE(t.ci95_high, t.threshold);
    last = t.threshold;
  }
}

TEST(Threshold, says_when_it_rests_on_the_tail_alone) {
  const auto few = fit_threshold(sample(laws()[0], 100, 3), {.false_alarm_rate = 0.001});
  const auto many = fit_threshold(sample(laws()[0], 10'000, 3), {.false_alarm_rate = 0.01});
  ASSERT_TRUE(few && many);
  EXPECT_TRUE(few->extrapolates());
  EXPECT_EQ(few->threshold.method, "gpd");
  EXPECT_FALSE(many->extrapolates());
  EXPECT_EQ(many->threshold.method, "empirical");
  EXPECT_GT(few->rate_ci95.high, 0.001);
}

TEST(Threshold, refuses_too_few_scores_a_rate_out_of_range_and_scores_that_do_not_vary) {
  const auto few = fit_threshold(std::vector<double>(19, 1.0), {});
  ASSERT_FALSE(few);
  EXPECT_NE(few.error().message.find("at least 20"), std::string::npos) << few.error().message;
  EXPECT_FALSE(fit_threshold(sample(laws()[0], 100, 1), {.false_alarm_rate = 0.0}));
  EXPECT_FALSE(fit_threshold(sample(laws()[0], 100, 1), {.false_alarm_rate = 0.5}));
  const auto flat = fit_threshold(std::vector<double>(100, 2.0), {});
  ASSERT_FALSE(flat);
  EXPECT_NE(flat.error().message.find("do not vary"), std::string::npos) << flat.error().message;
}

TEST(Tail, recovers_the_parameters_of_a_large_pareto_sample) {
  Random random(4);
  std::vector<double> peaks(200'000);
  const Tail truth{.start = 0.0, .scale = 2.0, .shape = 0.2, .tail_share = 1.0, .peaks = 1};
  for (double& p : peaks) p = truth.score_at(1.0 - random.uniform());
  std::ranges::sort(peaks);
  const Tail fitted = fit_peaks(peaks);
  EXPECT_NEAR(fitted.shape, 0.2, 0.02);
  EXPECT_NEAR(fitted.scale, 2.0, 0.05);
}

}  // namespace
}  // namespace millwright::lab
