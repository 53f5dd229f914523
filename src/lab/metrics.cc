// SPDX-License-Identifier: Apache-2.0
#include "lab/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace millwright::lab {
namespace {

constexpr double kZ95 = 1.959963984540054;  // the 97.5 % quantile of the standard normal

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::ranges::sort(copy);
  return copy;
}

// For each value the share of `others` (sorted) below it, ties counted half.
std::vector<double> shares_below(std::span<const double> values, std::span<const double> others) {
  std::vector<double> result;
  result.reserve(values.size());
  for (const double v : values) {
    const auto [first, last] = std::ranges::equal_range(others, v);
    const auto below = static_cast<double>(first - others.begin());
    const auto ties = static_cast<double>(last - first);
    result.push_back((below + 0.5 * ties) / static_cast<double>(others.size()));
  }
  return result;
}

double mean(std::span<const double> values) {
  double sum = 0.0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double variance(std::span<const double> values) {
  const double centre = mean(values);
  double sum = 0.0;
  for (const double v : values) sum += (v - centre) * (v - centre);
  return sum / static_cast<double>(values.size() - 1);
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double quantile(std::span<const double> values, double q) {
  MW_CHECK(!values.empty() && q >= 0.0 && q <= 1.0, "a quantile of at least one value");
  const std::vector<double> order = sorted(values);
  const double at = q * static_cast<double>(order.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, order.size() - 1);
  return order[below] + (at - static_cast<double>(below)) * (order[above] - order[below]);
}

double auc(std::span<const double> normal, std::span<const double> anomalous) {
  MW_CHECK(!normal.empty() && !anomalous.empty(), "an AUC needs both classes");
  return mean(shares_below(anomalous, sorted(normal)));
}

Interval auc_ci95(std::span<const double> normal, std::span<const double> anomalous) {
  const auto m = static_cast<double>(normal.size());
  const auto n = static_cast<double>(anomalous.size());
  const std::vector<double> of_anomalous = shares_below(anomalous, sorted(normal));
  const std::vector<double> of_normal = shares_below(normal, sorted(anomalous));
  const double area = mean(of_anomalous);
  // No error was seen among min(m, n) independent pairs: the rule behind "three over n".
  const double unseen = 1.0 - std::pow(0.05, 1.0 / std::min(m, n));
  if (m < 2 || n < 2 || area <= 0.0 || area >= 1.0) {
    return {.low = std::max(0.0, area - unseen), .high = std::min(1.0, area + unseen)};
  }
  const double spread = std::sqrt(variance(of_anomalous) / n + variance(of_normal) / m);
  const double logit = std::log(area / (1.0 - area));
  const double step = kZ95 * spread / (area * (1.0 - area));
  return {.low = 1.0 / (1.0 + std::exp(step - logit)), .high = 1.0 / (1.0 + std::exp(-step - logit))};
}

double partial_auc(std::span<const double> normal, std::span<const double> anomalous, double max_fpr) {
  MW_CHECK(!normal.empty() && !anomalous.empty() && max_fpr > 0.0 && max_fpr <= 1.0, "a partial AUC's range");
  const std::vector<double> n = sorted(normal);
  const std::vector<double> a = sorted(anomalous);
  double area = 0.0;
  double fpr = 0.0;
  double tpr = 0.0;
  // Thresholds from the highest score down; equal scores form one slanted step.
  size_t i = n.size();
  size_t j = a.size();
  while (fpr < max_fpr && (i > 0 || j > 0)) {
    const double at = std::max(i > 0 ? n[i - 1] : a[j - 1], j > 0 ? a[j - 1] : n[i - 1]);
    while (i > 0 && n[i - 1] == at) --i;
    while (j > 0 && a[j - 1] == at) --j;
    const double next_fpr = 1.0 - static_cast<double>(i) / static_cast<double>(n.size());
    const double next_tpr = 1.0 - static_cast<double>(j) / static_cast<double>(a.size());
    const double end = std::min(next_fpr, max_fpr);
    if (end > fpr) {
      const double tpr_end = tpr + (next_tpr - tpr) * (end - fpr) / (next_fpr - fpr);
      area += 0.5 * (tpr + tpr_end) * (end - fpr);
    }
    fpr = next_fpr;
    tpr = next_tpr;
  }
  const double chance = 0.5 * max_fpr * max_fpr;
  return 0.5 * (1.0 + (area - chance) / (max_fpr - chance));
}

Interval share_ci95(uint64_t hits, uint64_t n) {
  if (n == 0) return {.low = 0.0, .high = 1.0};
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(hits) / count;
  const double z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2.0 * count)) / (1.0 + z2 / count);
  const double half = kZ95 / (1.0 + z2 / count) * std::sqrt(p * (1.0 - p) / count + z2 / (4.0 * count * count));
  return {.low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

void Confusion::count(bool anomalous, bool alert) {
  if (anomalous) {
    ++(alert ? true_positive : false_negative);
  } else {
    ++(alert ? false_positive : true_negative);
  }
}

double Confusion::tpr() const { return ratio(true_positive, true_positive + false_negative); }
double Confusion::fpr() const { return ratio(false_positive, false_positive + true_negative); }
double Confusion::f1() const { return ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative); }

}  // namespace millwright::lab
