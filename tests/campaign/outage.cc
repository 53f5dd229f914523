// SPDX-License-Identifier: Apache-2.0
#include "campaign/outage.h"

#include <array>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "campaign/long_outage.h"

namespace millwright::campaign {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kHoursThatCount = 8;
constexpr double kMonthS = 30 * 86'400;
constexpr double kOverfullS = 68 * 3600;
constexpr double kOverfullPerS = 1.2;
constexpr uint64_t kMostBytes = 64 << 20;
constexpr double kAlertsUpS = 60.0;
constexpr double kDrainedS = 600.0;
constexpr double kLagS = 5.0;

uint64_t common_failures(const OutageFigures& f) {
  return f.alerts_missing + f.alerts_dropped + f.wrong + f.duplicates + f.holes + f.not_drained +
         (f.file_bytes == 0 || f.file_bytes > kMostBytes ? 1 : 0) + (f.worst_lag_s > kLagS ? 1 : 0);
}

uint64_t failures_of_hours(const OutageFigures& f) {
  return common_failures(f) + f.scores_missing + f.scores_dropped + (f.alerts_up_s > kAlertsUpS ? 1 : 0) +
         (f.drained_s > kDrainedS ? 1 : 0);
}

// More than the store holds, or holds on to: each score that is not there was counted, and none that is.
uint64_t failures_of_more(const OutageFigures& f) {
  return common_failures(f) + (f.scores_missing != f.scores_dropped ? 1 : 0) + (f.scores_missing == 0 ? 1 : 0);
}

}  // namespace

Result<ordered_json> run_outage(const CampaignOptions& options) {
  const TemporaryFolder folder;
  const bool whole = options.trials >= kHoursThatCount;
  const double month_interval_s = whole ? 8.64 : 180.0;
  std::vector<OutagePlan> plans = {
      {.folder = folder.path() / "hours", .seed = options.seed, .strokes = options.trials * 3600, .alert_every = 20},
      {.folder = folder.path() / "control",
       .seed = options.seed + 1,
       .strokes = 600,
       .alert_every = 20,
       .deaf_every = 20,
       .told_late_ms = static_cast<int64_t>(kLagS * 1000) + 500},
      {.folder = folder.path() / "month",
       .seed = options.seed + 2,
       .strokes = static_cast<uint64_t>(kMonthS / month_interval_s),
       .interval_s = month_interval_s,
       .alert_every = whole ? 3U : 26U},
  };
  if (whole) {
    plans.push_back({.folder = folder.path() / "overfull",
                     .seed = options.seed + 3,
                     .strokes = static_cast<uint64_t>(kOverfullS * kOverfullPerS),
                     .interval_s = 1.0 / kOverfullPerS,
                     .alert_every = 20});
  }
  std::vector<Result<OutageFigures>> found(plans.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plans.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = live_through(plans[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<OutageFigures> figures;
  for (auto& one : found) figures.push_back(MW_TRY(std::move(one)));
  const OutageFigures& hours = figures[0];
  const OutageFigures& control = figures[1];
  uint64_t failures = failures_of_hours(hours);
  for (size_t i = 2; i < figures.size(); ++i) failures += failures_of_more(figures[i]);
  const bool caught =
      control.scores_missing > control.scores_dropped && control.alerts_missing > 0 && control.worst_lag_s > kLagS;
  ordered_json line{{"name", "outage"},
                    {"trials", options.trials},
                    {"failures", failures},
                    {"control_caught", caught},
                    {"seed", options.seed},
                    {"hours", to_json(hours)},
                    {"control", to_json(control)},
                    {"thirty_days", to_json(figures[2])}};
  if (whole) line["overfull"] = to_json(figures[3]);
  return line;
}

}  // namespace millwright::campaign
