// SPDX-License-Identifier: Apache-2.0
// Ways to raise alerts on SKAB: the headline and what it is compared with.
#pragma once

#include "skab_data.h"

namespace millwright::results {

using Alerts = std::vector<std::vector<bool>>;  // per experiment and row

// The headline, lab/drift_t2.h: a file's own first rows and the 99 % limit of chi-squared, nothing else.
Result<Alerts> drift_t2_alerts(const std::vector<Experiment>& all);

// A control that reads no sensor: alert from `row` on.
Alerts clock_alerts(const std::vector<Experiment>& all, Eigen::Index row);

// Mahalanobis distance of the means over `window` rows, in the spread of the first rows.
struct SkabMethod {
  const char* name;
  Eigen::Index window;  // rows
  double rate;          // stated false-alarm rate
  // The usual: covariance and threshold from the file's own training rows, drift unheeded. Otherwise from how far the
  // *other* experiments' training rows drifted from their own calibration.
  bool own_rows_only;
};
Result<Alerts> skab_alerts(const std::vector<Experiment>& all, const SkabMethod& method, uint64_t seed);

}  // namespace millwright::results
