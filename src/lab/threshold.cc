// SPDX-License-Identifier: Apache-2.0
#include "lab/threshold.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "lab/tail.h"
#include "lab/ties.h"

namespace millwright::lab {
namespace {

constexpr int kBootstraps = 500;
constexpr double kZ95 = 1.959963984540054;
constexpr double kOffsetQuantile = 0.05;  // normal windows spread over the lower half of the scale
// Severities lie at least, and at most, this many threshold distances above the offset: a short tail must not make
// every alert CRITICAL, nor a long one none.
constexpr double kHighAtLeast = 1.5;
constexpr double kHighAtMost = 4.0;
constexpr double kCriticalAtLeast = 3.0;
constexpr double kCriticalAtMost = 10.0;

// P(score > x) under a tail.
double exceedance(const Tail& tail, double x) {
  if (x <= tail.start) return tail.tail_share;
  if (tail.scale <= 0.0) return 0.0;
  const double y = (x - tail.start) / tail.scale;
  if (std::abs(tail.shape) < 1e-9) return tail.tail_share * std::exp(-y);
  const double base = 1.0 + tail.shape * y;
  return base <= 0.0 ? 0.0 : tail.tail_share * std::pow(base, -1.0 / tail.shape);
}

// Tails that other samples of the same size from the fitted tail would have given.
std::vector<Tail> bootstrap_tails(const Tail& fitted, uint64_t seed) {
  Random random(seed);
  std::vector<Tail> tails;
  std::vector<double> peaks(fitted.peaks + 1);
  const auto k = static_cast<double>(fitted.peaks);
  for (int b = 0; b < kBootstraps; ++b) {
    peaks[0] = 0.0;
    for (size_t i = 1; i < peaks.size(); ++i) {
      Tail all = fitted;
      all.start = 0.0;
      all.tail_share = 1.0;
      peaks[i] = all.score_at(1.0 - random.uniform());
    }
    std::ranges::sort(peaks);
    Tail tail = fit_peaks(std::span(peaks).subspan(1));
    // How many of a sample lie beyond the start varies too: that moves the start of the tail.
    const double moved = random.normal() * std::sqrt((1.0 - fitted.tail_share) / k) * fitted.scale;
    tail.start = fitted.start + moved;
    tail.tail_share = fitted.tail_share;
    tails.push_back(tail);
  }
  return tails;
}

// The score whose exceedance, averaged over the tails, is `rate`.
double predictive_score(std::span<const Tail> tails, double rate) {
  const auto mean_rate = [&](double x) {
    double sum = 0.0;
    for (const Tail& tail : tails) sum += exceedance(tail, x);
    return sum / static_cast<double>(tails.size());
  };
  double low = tails.front().start;
  double step = std::max(tails.front().scale, 1e-300);
  for (const Tail& tail : tails) low = std::min(low, tail.start);
  double high = low + step;
  for (int i = 0; i < 200 && mean_rate(high) > rate; ++i) high = low + (step *= 1.5);
  for (int i = 0; i < 50; ++i) {
    const double middle = 0.5 * (low + high);
    (mean_rate(middle) > rate ? low : high) = middle;
  }
  return high;
}

Interval score_interval(std::span<const Tail> tails, double rate) {
  std::vector<double> at;
  at.reserve(tails.size());
  for (const Tail& tail : tails) at.push_back(tail.score_at(rate));
  return {.low = quantile(at, 0.025), .high = quantile(at, 0.975)};
}

Interval rate_interval(std::span<const Tail> tails, double threshold) {
  std::vector<double> rates;
  rates.reserve(tails.size());
  for (const Tail& tail : tails) rates.push_back(exceedance(tail, threshold));
  return {.low = quantile(rates, 0.025), .high = quantile(rates, 0.975)};
}

// The order statistic that is exceeded at `rate` in expectation, and those that bound it at 95 %.
void set_empirical(std::span<const double> sorted, double rate, ThresholdFit& fit) {
  const auto n = static_cast<double>(sorted.size());
  const auto at = [&](double rank) {
    const double r = std::clamp(rank, 1.0, n) - 1.0;
    const auto below = static_cast<size_t>(r);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (r - static_cast<double>(below)) * (sorted[above] - sorted[below]);
  };
  const double rank = (n + 1.0) * (1.0 - rate);
  const double spread = kZ95 * std::sqrt(n * rate * (1.0 - rate));
  fit.threshold.threshold = at(rank);
  fit.threshold.ci95_low = at(rank - spread);
  fit.threshold.ci95_high = at(rank + spread);
  fit.rate_ci95 = share_ci95(static_cast<uint64_t>(std::llround(n * rate)), sorted.size());
  fit.threshold.method = "empirical";
}

// A moved threshold no longer has the fitted rate: what the scores themselves show is told instead.
void avoid_ties(std::span<const double> sorted, ThresholdFit& fit) {
  model::Threshold& t = fit.threshold;
  const double lifted = lift_over_ties(sorted, t.false_alarm_rate, t.threshold);
  if (lifted <= t.threshold) return;
  t.threshold = lifted;
  t.ci95_high = std::max(t.ci95_high, lifted);
  const auto above = sorted.end() - std::ranges::lower_bound(sorted, lifted);
  fit.rate_ci95 = share_ci95(static_cast<uint64_t>(above), sorted.size());
}

void set_severities(model::Threshold& t, double high, double critical) {
  const double distance = t.threshold - t.offset;
  t.high = t.offset + std::clamp(high - t.offset, kHighAtLeast * distance, kHighAtMost * distance);
  t.critical = t.offset + std::clamp(critical - t.offset, kCriticalAtLeast * distance, kCriticalAtMost * distance);
  t.critical = std::max(t.critical, t.high);
}

}  // namespace

Result<ThresholdFit> fit_threshold(std::span<const double> scores, const ThresholdOptions& options) {
  const double rate = options.false_alarm_rate;
  if (!(rate > 0.0 && rate < 0.5)) {
    return fail(ErrorCode::kInvalidInput, "false-alarm rate {}: it is a share of windows above 0 and below 0.5", rate);
  }
  if (scores.size() < kMinimumHeldOut) {
    return fail(ErrorCode::kInvalidInput, "{} held-out windows are too few for a threshold: record at least {}",
                scores.size(), kMinimumHeldOut);
  }
  std::vector<double> sorted(scores.begin(), scores.end());
  std::ranges::sort(sorted);
  const Tail tail = fit_tail(sorted);
  if (!(tail.scale > 0.0)) {
    return fail(ErrorCode::kInvalidInput,
                "the highest {} of {} normal scores are all {}: the recordings do not vary, is the sensor connected?",
                tail.peaks, sorted.size(), tail.start);
  }
  const std::vector<Tail> tails = bootstrap_tails(tail, options.seed);
  const auto n = static_cast<double>(sorted.size());

  ThresholdFit fit;
  fit.shown_rate = 3.0 / n;
  fit.threshold.false_alarm_rate = rate;
  fit.threshold.held_out_windows = sorted.size();
  if (n * rate >= kEmpiricalExceedances || rate > 0.9 * tail.tail_share) {
    set_empirical(sorted, rate, fit);
  } else {
    fit.threshold.method = "gpd";
    fit.threshold.threshold = predictive_score(tails, rate);
    const Interval ci = score_interval(tails, rate);
    fit.threshold.ci95_low = std::min(ci.low, fit.threshold.threshold);
    fit.threshold.ci95_high = std::max(ci.high, fit.threshold.threshold);
    fit.rate_ci95 = rate_interval(tails, fit.threshold.threshold);
  }
  avoid_ties(sorted, fit);
  fit.threshold.offset = std::min(quantile(sorted, kOffsetQuantile), fit.threshold.ci95_low);
  if (!(fit.threshold.threshold > fit.threshold.offset)) {
    return fail(ErrorCode::kInvalidInput, "normal scores do not vary enough to set a threshold at rate {}", rate);
  }
  const double deepest = 0.9 * tail.tail_share;
  set_severities(fit.threshold, predictive_score(tails, std::min(rate / 10.0, deepest)),
                 predictive_score(tails, std::min(rate / 100.0, deepest)));
  return fit;
}

}  // namespace millwright::lab
