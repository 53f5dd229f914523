// SPDX-License-Identifier: Apache-2.0
// How well scores tell anomalous windows from normal ones, with intervals: a figure without one says little.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace millwright::lab {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

// Linear interpolation between order statistics, as NumPy does by default. At least one value, q in [0, 1].
double quantile(std::span<const double> values, double q);

// Area under the ROC curve: the chance that an anomalous window scores above a normal one, ties counted half. Both at
// least one value.
double auc(std::span<const double> normal, std::span<const double> anomalous);

// 95 % interval of auc() after E. R. DeLong et al., Biometrics 44 (1988) 837-845, taken on the logit scale so that it
// stays inside [0, 1]; where the AUC is 0 or 1 or a class has one window, the exact bound for zero errors is used.
Interval auc_ci95(std::span<const double> normal, std::span<const double> anomalous);

// The area under the curve up to a false-alarm rate of `max_fpr`, standardised so that chance is 0.5 and perfect is 1:
// D. K. McClish, Medical Decision Making 9 (1989) 190-195.
double partial_auc(std::span<const double> normal, std::span<const double> anomalous, double max_fpr);

// Wilson's 95 % interval of a share; [0, 1] for n = 0.
Interval share_ci95(uint64_t hits, uint64_t n);

struct Confusion {
  uint64_t true_positive = 0;
  uint64_t false_positive = 0;
  uint64_t true_negative = 0;
  uint64_t false_negative = 0;

  void count(bool anomalous, bool alert);
  [[nodiscard]] double tpr() const;  // 0 where there is nothing to find
  [[nodiscard]] double fpr() const;
  [[nodiscard]] double f1() const;  // 0 where nothing was found
};

}  // namespace millwright::lab
