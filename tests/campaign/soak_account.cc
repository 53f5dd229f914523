// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak_account.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

using Alert = std::pair<std::string, uint64_t>;  // asset, stroke

// Whom an alert is owed for: a score at or above the threshold, and whatever begins or ends.
class OwedAlerts {
 public:
  bool owed(const model::StrokeRecord& record) {
    const bool knows_sensor =
        record.verdict != model::Verdict::kNoVerdict || record.reason == model::Reason::kSensorFault;
    const bool alarm_changed = std::exchange(alarm_, record.alarm_active) != record.alarm_active;
    const bool fault_changed = knows_sensor && std::exchange(fault_, record.sensor_fault) != record.sensor_fault;
    return record.is_alert || alarm_changed || fault_changed;
  }

 private:
  bool alarm_ = false;
  signal::SensorFault fault_ = signal::SensorFault::kNone;
};

Status read_records(const std::filesystem::path& folder, const std::string& asset, uint64_t cycles,
                    SoakAccount& account, std::set<Alert>& alerts) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<uint8_t> seen(cycles + 1, 0);
  uint64_t last_id = 0;
  OwedAlerts owed;
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (line.find_first_not_of('\0') == std::string::npos) continue;  // set aside for lines to come
      const auto record = MW_TRY_IN(file.string(), model::parse_json_line(line));
      ++account.records;
      if (record.stroke_id != std::exchange(last_id, record.stroke_id) + 1) ++account.disorder;
      ++account.verdicts[std::string(model::name(record.verdict))];
      ++account.reasons[std::string(model::name(record.reason))];
      if (record.verdict != model::Verdict::kNoVerdict && record.latency_ns > kSoakDeadlineMs * 1'000'000) {
        ++account.late_go;
      }
      if (owed.owed(record)) alerts.insert({asset, record.stroke_id});
      if (record.plc_cycle == 0 || record.plc_cycle > cycles) {
        ++account.disorder;
      } else if (seen[record.plc_cycle] < 2) {
        ++seen[record.plc_cycle];
      }
    }
  }
  account.strokes += cycles;
  account.missing += static_cast<uint64_t>(std::count(seen.begin() + 1, seen.end(), 0));
  account.duplicates += static_cast<uint64_t>(std::count(seen.begin() + 1, seen.end(), 2));
  return {};
}

}  // namespace

Result<SoakAccount> settle(const SoakPlan& plan, const SoakPlant& plant, const std::filesystem::path& stored) {
  SoakAccount account;
  std::set<Alert> alerts;
  for (size_t i = 0; i < kSoakAssets; ++i) {
    const auto folder = plan.folder / "state" / soak_asset(i) / "records";
    MW_CHECK_OK(read_records(folder, soak_asset(i), plant.cycles(i), account, alerts));
  }
  std::set<Alert> kept;
  std::ifstream in(stored);
  for (std::string line; std::getline(in, line);) {
    const auto one = nlohmann::json::parse(line, nullptr, false);
    if (one.is_object()) kept.insert({one.value("asset_id", ""), one.value("stroke_id", uint64_t{0})});
  }
  account.alerts = alerts.size();
  for (const Alert& one : alerts) account.alerts_lost += kept.contains(one) ? 0 : 1;
  for (const Alert& one : kept) account.alerts_invented += alerts.contains(one) ? 0 : 1;
  return account;
}

}  // namespace millwright::campaign
