// SPDX-License-Identifier: Apache-2.0
#include "lab/ties.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "lab/threshold.h"

namespace millwright::lab {
namespace {

std::vector<double> repeated(std::initializer_list<std::pair<double, size_t>> groups) {
  std::vector<double> scores;
  for (const auto& [value, times] : groups) scores.insert(scores.end(), times, value);
  return scores;
}

double share_at_or_above(std::span<const double> scores, double threshold) {
  const auto above = std::ranges::count_if(scores, [=](double s) { return s >= threshold; });
  return static_cast<double>(above) / static_cast<double>(scores.size());
}

TEST(Ties, a_threshold_on_a_repeated_score_goes_halfway_to_the_next_higher_one) {
  const auto scores = repeated({{1.0, 900}, {2.0, 95}, {4.0, 5}});
  for (const double on : {2.0, 2.0 * (1.0 - 1e-7), 2.0 * (1.0 + 1e-7)}) {
    EXPECT_DOUBLE_EQ(lift_over_ties(scores, 0.1, on), 3.0) << on;
  }
}

TEST(Ties, a_repeated_score_above_the_threshold_counts_where_it_alone_breaks_the_rate) {
  const auto scores = repeated({{1.0, 900}, {2.0, 95}, {4.0, 5}});
  EXPECT_DOUBLE_EQ(lift_over_ties(scores, 0.1, 1.5), 1.5);
  EXPECT_DOUBLE_EQ(lift_over_ties(scores, 0.01, 1.5), 3.0);
  // Nothing lies above the highest score: half the last step beyond it.
  EXPECT_DOUBLE_EQ(lift_over_ties(scores, 0.001, 1.5), 5.0);
}

TEST(Ties, scores_that_do_not_repeat_leave_the_threshold_where_it_is) {
  std::vector<double> scores;
  for (int i = 0; i < 1000; ++i) scores.push_back(1.0 + 0.01 * i);
  for (const double threshold : {1.0, 5.0, 9.985, 10.99, 20.0}) {
    EXPECT_EQ(lift_over_ties(scores, 0.001, threshold), threshold);
  }
}

// A normal law on a coarse grid, or cut off at a value that many windows reach: the rate on 100,000 fresh scores.
TEST(Ties, heavily_tied_scores_keep_the_stated_rate_and_rounding_flips_none) {
  const auto draw = [](Random& random, double step, double most) {
    return std::min(most, step * std::round((10.0 + random.normal()) / step));
  };
  for (const auto& [step, most] : {std::pair{0.5, 100.0}, std::pair{0.25, 12.0}, std::pair{1e-9, 11.8}}) {
    for (const double rate : {0.05, 0.01, 0.001}) {
      double realised = 0.0;
      constexpr int kTrials = 20;
      for (uint64_t seed = 1; seed <= kTrials; ++seed) {
        Random random(seed);
        std::vector<double> scores(2000);
        for (double& s : scores) s = draw(random, step, most);
        const auto fit = fit_threshold(scores, {.false_alarm_rate = rate, .seed = seed});
        ASSERT_TRUE(fit) << fit.error().message;
        ASSERT_TRUE(fit->threshold.validate());
        std::vector<double> fresh(100'000);
        for (double& s : fresh) s = draw(random, step, most);
        const double t = fit->threshold.threshold;
        realised += share_at_or_above(fresh, t) / kTrials;
        // A value that these 2,000 scores showed once or never may still lie there; one that repeats may not.
        const double flips = share_at_or_above(fresh, t * (1 - 2e-5)) - share_at_or_above(fresh, t * (1 + 2e-5));
        EXPECT_LE(flips, 5e-4) << "step " << step << " rate " << rate << " seed " << seed;
      }
      EXPECT_LE(realised, 1.3 * rate) << "step " << step << " most " << most;
    }
  }
}

}  // namespace
}  // namespace millwright::lab
