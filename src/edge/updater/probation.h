// SPDX-License-Identifier: Apache-2.0
// Whether a model that serves under trial has proven itself, by what it does on live strokes.
#pragma once

#include <cstdint>
#include <string>

#include "edge/updater/install_state.h"

namespace millwright::edge {

struct ProbationRules {
  int64_t least_ns = 600'000'000'000;  // both this long
  uint64_t least_verdicts = 200;       // and so many verdicts
  uint64_t failures_in_a_row = 3;      // so many refuse it at once
  double most_failures = 0.01;         // of its strokes
  // An alert rate is beyond that of the model before where chance alone would give as many at most once in so many
  // trials.
  double chance = 1e-4;
  // What is taken for the rate of the model before where it alerted less, or nobody counted: no better is asked.
  double least_alert_rate = 0.02;
};

struct ProbationFinding {
  enum class Kind : uint8_t { kGoesOn, kProven, kRefused } kind = Kind::kGoesOn;
  std::string why;  // where it is refused
};

// `failures_in_a_row`: how many strokes the model has failed on without a verdict between. Alerts are compared by
// Chernoff's bound on the binomial tail, exp(-n D(a/n || p)) with D the Kullback-Leibler divergence (H. Chernoff,
// Ann. Math. Statist. 23, 1952), which is above the true tail: it refuses late rather than wrongly.
ProbationFinding judge_probation(const InstallState& state, uint64_t failures_in_a_row, const ProbationRules& rules);

}  // namespace millwright::edge
