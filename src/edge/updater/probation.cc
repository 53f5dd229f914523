// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/probation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace millwright::edge {
namespace {

using Kind = ProbationFinding::Kind;

// Of `alerts` or more among `all`, where each comes with chance p.
double most_chance(uint64_t alerts, uint64_t all, double p) {
  const double n = static_cast<double>(all);
  const double share = static_cast<double>(alerts) / n;
  if (share <= p) return 1.0;
  double divergence = share * std::log(share / p);
  if (share < 1.0) divergence += (1.0 - share) * std::log((1.0 - share) / (1.0 - p));
  return std::exp(-n * divergence);
}

}  // namespace

ProbationFinding judge_probation(const InstallState& state, uint64_t failures_in_a_row, const ProbationRules& rules) {
  const StrokeCounts& now = state.probation;
  const StrokeCounts& before = state.before;
  if (failures_in_a_row >= rules.failures_in_a_row) {
    return {Kind::kRefused, fmt::format("it gave no verdict on {} strokes in a row", failures_in_a_row)};
  }
  const uint64_t strokes = now.verdicts + now.failures;
  // As many as the rule for a row lets go are let go here too, so that one late stroke among ten refuses nobody.
  if (now.failures > std::max<double>(static_cast<double>(rules.failures_in_a_row),
                                      rules.most_failures * static_cast<double>(strokes))) {
    return {Kind::kRefused, fmt::format("it gave no verdict on {} of {} strokes; at most {:g} % may go without",
                                        now.failures, strokes, 100.0 * rules.most_failures)};
  }
  const double seen =
      before.verdicts == 0 ? 0.0 : static_cast<double>(before.alerts) / static_cast<double>(before.verdicts);
  const double rate = std::clamp(seen, rules.least_alert_rate, 0.999);
  if (now.verdicts > 0 && most_chance(now.alerts, now.verdicts, rate) < rules.chance) {
    return {Kind::kRefused, fmt::format("it raised {} alerts in {} strokes; the model before raised {} in {}",
                                        now.alerts, now.verdicts, before.alerts, before.verdicts)};
  }
  if (state.served_ns >= rules.least_ns && now.verdicts >= rules.least_verdicts) return {Kind::kProven, {}};
  return {};
}

}  // namespace millwright::edge
