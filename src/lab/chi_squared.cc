// SPDX-License-Identifier: Apache-2.0
#include "lab/chi_squared.h"

#include <cmath>

#include "base/check.h"

namespace millwright::lab {
namespace {

constexpr int kMaxTerms = 100'000;
constexpr int kBisections = 200;

// P(X <= x): the series of the lower incomplete gamma function, whose terms are all positive
// (NIST Digital Library of Mathematical Functions, 8.11.4).
double cumulative(double x, int freedom) {
  const double a = 0.5 * freedom;
  const double half = 0.5 * x;
  if (half <= 0.0) return 0.0;
  double term = 1.0 / a;
  double sum = term;
  for (int k = 1; k < kMaxTerms && term > 1e-17 * sum; ++k) {
    term *= half / (a + k);
    sum += term;
  }
  return sum * std::exp(a * std::log(half) - half - std::lgamma(a));
}

}  // namespace

double chi_squared_quantile(double share, int freedom) {
  MW_CHECK(share > 0.0 && share < 1.0 && freedom >= 1, "a quantile of chi-squared is asked for within (0, 1)");
  double low = 0.0;
  double high = freedom;
  while (cumulative(high, freedom) < share && high < 1e6) high *= 2.0;
  for (int i = 0; i < kBisections && high - low > 1e-12 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (cumulative(middle, freedom) < share ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace millwright::lab
