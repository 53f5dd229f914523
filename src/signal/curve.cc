// SPDX-License-Identifier: Apache-2.0
#include "signal/curve.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace millwright::signal {
namespace {

struct Moments {
  double mean = 0.0;
  double variance = 0.0;
  double skewness = 0.0;
  double kurtosis = 0.0;
  double slope = 0.0;
};

Moments moments(std::span<const float> y) {
  const auto n = static_cast<double>(y.size());
  Moments m;
  for (const float v : y) m.mean += v;
  m.mean /= n;
  double m2 = 0.0;
  double m3 = 0.0;
  double m4 = 0.0;
  double xy = 0.0;
  double xx = 0.0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double d = y[i] - m.mean;
    const double x = static_cast<double>(i) / (n - 1.0) - 0.5;
    m2 += d * d;
    m3 += d * d * d;
    m4 += d * d * d * d;
    xy += x * d;
    xx += x * x;
  }
  m.variance = m2 / n;
  m.slope = xy / xx;
  // Below this, what is left of the variance is the rounding of the samples themselves.
  const double floor = 1e-14 * m.mean * m.mean;
  if (m.variance > floor && m.variance > 0.0) {
    m.skewness = (m3 / n) / (m.variance * std::sqrt(m.variance));
    m.kurtosis = (m4 / n) / (m.variance * m.variance) - 3.0;
  }
  return m;
}

struct Differences {
  double roughness = 0.0;
  double rise = 0.0;
  double fall = 0.0;
  double travel = 0.0;
  double crossings = 0.0;
};

Differences differences(std::span<const float> y, double mean) {
  const auto pairs = static_cast<double>(y.size() - 1);
  Differences d;
  d.rise = static_cast<double>(y[1]) - y[0];
  d.fall = d.rise;
  for (size_t i = 1; i < y.size(); ++i) {
    const double step = static_cast<double>(y[i]) - y[i - 1];
    d.roughness += step * step;
    d.travel += std::abs(step);
    d.rise = std::max(d.rise, step);
    d.fall = std::min(d.fall, step);
    if ((y[i] > mean) != (y[i - 1] > mean)) d.crossings += 1.0;
  }
  d.roughness = std::sqrt(d.roughness / pairs);
  d.crossings /= pairs;
  return d;
}

// `sorted` is the whole curve in ascending order.
double quantile(std::span<const float> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = at - static_cast<double>(below);
  return sorted[below] + share * (static_cast<double>(sorted[above]) - sorted[below]);
}

}  // namespace

void curve_statistics(std::span<const float> curve, std::span<float> scratch, std::span<float> out) {
  MW_CHECK(curve.size() >= 2 && scratch.size() >= curve.size(), "curve_statistics needs 2 samples and scratch memory");
  MW_CHECK(out.size() >= kCurveStatistics, "curve_statistics needs room for every statistic");
  const auto last = static_cast<double>(curve.size() - 1);
  const Moments m = moments(curve);
  const Differences d = differences(curve, m.mean);
  const auto low = std::ranges::min_element(curve);
  const auto high = std::ranges::max_element(curve);
  const double area = (m.mean * (last + 1.0) - 0.5 * (static_cast<double>(curve.front()) + curve.back())) / last;

  const std::span<float> sorted = scratch.first(curve.size());
  std::ranges::copy(curve, sorted.begin());
  std::ranges::sort(sorted);

  const std::array<double, kCurveStatistics> values = {m.mean,
                                                       std::sqrt(m.variance),
                                                       *low,
                                                       *high,
                                                       static_cast<double>(low - curve.begin()) / last,
                                                       static_cast<double>(high - curve.begin()) / last,
                                                       curve.front(),
                                                       curve.back(),
                                                       area,
                                                       m.slope,
                                                       quantile(sorted, 0.25),
                                                       quantile(sorted, 0.5),
                                                       quantile(sorted, 0.75),
                                                       m.skewness,
                                                       m.kurtosis,
                                                       d.roughness,
                                                       d.rise,
                                                       d.fall,
                                                       d.travel,
                                                       d.crossings};
  std::ranges::transform(values, out.begin(), [](double v) { return static_cast<float>(v); });
}

void resample_linear(std::span<const float> curve, std::span<float> out) {
  MW_CHECK(!curve.empty() && !out.empty(), "resample_linear needs samples and points");
  const auto last = static_cast<double>(curve.size() - 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const double x = out.size() == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(out.size() - 1);
    const double at = x * last;
    const auto below = std::min(static_cast<size_t>(at), curve.size() - 1);
    const size_t above = std::min(below + 1, curve.size() - 1);
    const double share = at - static_cast<double>(below);
    out[i] = static_cast<float>(curve[below] + share * (static_cast<double>(curve[above]) - curve[below]));
  }
}

}  // namespace millwright::signal
