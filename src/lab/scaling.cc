// SPDX-License-Identifier: Apache-2.0
#include "lab/scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "base/check.h"

namespace millwright::lab {
namespace {

constexpr double kMadToSigma = 1.4826;      // for a normal distribution
constexpr double kFloorOfDeviation = 0.1;   // of the standard deviation
constexpr int kBisections = 60;             // halve [0, 10] to below double precision
constexpr double kFloorOfMagnitude = 1e-6;  // of the value: below it, float features hold rounding only

// The z with P(|Z| <= z) = `share` for a standard normal Z.
double two_sided_normal_quantile(double share) {
  double low = 0.0;
  double high = 10.0;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = 0.5 * (low + high);
    (std::erf(middle / std::numbers::sqrt2) < share ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

// The spread of a normal distribution whose distances from the centre would reach as far, the farthest `strays` left
// out. The order of `distances` is not kept. 0 where nothing is left.
double tail_spread(std::vector<double>& distances, size_t strays) {
  if (distances.size() <= strays) return 0.0;
  const size_t rank = distances.size() - strays - 1;
  const auto at = distances.begin() + static_cast<std::ptrdiff_t>(rank);
  std::ranges::nth_element(distances, at);
  const double share = (static_cast<double>(rank) + 0.5) / static_cast<double>(distances.size());
  return *at / two_sided_normal_quantile(share);
}

}  // namespace

double median(std::vector<double>& values) {
  MW_CHECK(!values.empty(), "the median of nothing");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

Scaling learn_scaling(const Rows& rows) {
  MW_CHECK(rows.rows() > 0, "scaling is learned from at least one row");
  Scaling s{Vector(rows.cols()), Vector(rows.cols())};
  std::vector<double> column(static_cast<size_t>(rows.rows()));
  for (Eigen::Index j = 0; j < rows.cols(); ++j) {
    const Vector x = rows.col(j).cast<double>();
    std::copy(x.begin(), x.end(), column.begin());
    const double centre = median(column);
    std::ranges::transform(x, column.begin(), [centre](double v) { return std::abs(v - centre); });
    const double mad = kMadToSigma * median(column);
    const double deviation = std::sqrt((x.array() - x.mean()).square().mean());
    const double least = std::max(kFloorOfMagnitude * std::abs(centre), double{std::numeric_limits<float>::min()});
    const auto few = static_cast<size_t>(std::ceil(kStrayShare * static_cast<double>(column.size())));
    const size_t strays = mad > least ? std::max(kStrayRows, few) : 0;
    double scale = std::max({mad, tail_spread(column, strays), kFloorOfDeviation * deviation});
    // A feature that never moved: any movement counts against the size of its value.
    if (scale <= least) scale = std::abs(centre) > 0.0 ? std::abs(centre) : 1.0;
    s.centre[j] = centre;
    s.scale[j] = scale;
  }
  return s;
}

Matrix Scaling::apply(const Rows& rows) const {
  return (rows.cast<double>().rowwise() - centre.transpose()).array().rowwise() / scale.transpose().array();
}

}  // namespace millwright::lab
