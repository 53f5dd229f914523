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
constexpr uint64_t kMonthS = 30 * 86'400;
constexpr uint64_t kAlertsOfAMonth = 100'000;
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

// Each score that is not there was counted, and none that is.
uint64_t failures_of_month(const OutageFigures& f) {
  return common_failures(f) + (f.scores_missing != f.scores_dropped ? 1 : 0) + (f.scores_missing == 0 ? 1 : 0);
}

}  // namespace

Result<ordered_json> run_outage(const CampaignOptions& options) {
  const TemporaryFolder folder;
  const bool whole = options.trials >= kHoursThatCount;
  const double month_interval_s = whole ? 1.0 / 1.2 : 60.0;
  const auto month = static_cast<uint64_t>(static_cast<double>(kMonthS) / month_interval_s);
  const std::array<OutagePlan, 3> plans = {{
      {.folder = folder.path() / "hours", .seed = options.seed, .strokes = options.trials * 3600, .alert_every = 20},
      {.folder = folder.path() / "month",
       .seed = options.seed + 1,
       .strokes = month,
       .interval_s = month_interval_s,
       .alert_every = whole ? month / kAlertsOfAMonth + 1 : 26},
      {.folder = folder.path() / "control",
       .seed = options.seed + 2,
       .strokes = 600,
       .alert_every = 20,
       .deaf_every = 20,
       .told_late_ms = static_cast<int64_t>(kLagS * 1000) + 500},
  }};
  std::array<Result<OutageFigures>, plans.size()> found;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plans.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = live_through(plans[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  const OutageFigures hours = MW_TRY(std::move(found[0]));
  const OutageFigures days = MW_TRY(std::move(found[1]));
  const OutageFigures control = MW_TRY(std::move(found[2]));
  const bool caught =
      control.scores_missing > control.scores_dropped && control.alerts_missing > 0 && control.worst_lag_s > kLagS;
  return ordered_json{{"name", "outage"},
                      {"trials", options.trials},
                      {"failures", failures_of_hours(hours) + failures_of_month(days)},
                      {"control_caught", caught},
                      {"seed", options.seed},
                      {"hours", to_json(hours)},
                      {"thirty_days", to_json(days)},
                      {"control", to_json(control)}};
}

}  // namespace millwright::campaign
