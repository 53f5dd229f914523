// SPDX-License-Identifier: Apache-2.0
// Records against strokes, alerts on record against alerts that somebody stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"
#include "campaign/soak_plant.h"

namespace millwright::campaign {

struct SoakAccount {
  uint64_t strokes = 0, records = 0, missing = 0, duplicates = 0, disorder = 0, late_go = 0;
  uint64_t alerts = 0, alerts_lost = 0, alerts_invented = 0;
  std::map<std::string, uint64_t> verdicts;
  std::map<std::string, uint64_t> reasons;
  [[nodiscard]] uint64_t failures() const {
    return missing + duplicates + disorder + late_go + alerts_lost + alerts_invented;
  }
};

// `stored`: the lines of the alerts that the hub has made durable.
Result<SoakAccount> settle(const SoakPlan& plan, const SoakPlant& plant, const std::filesystem::path& stored);

}  // namespace millwright::campaign
