// SPDX-License-Identifier: Apache-2.0
// The campaign "stroke-contract": records = triggers, whatever is killed, late, broken or full.
#pragma once

#include <cstdint>
#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::campaign {

struct CampaignOptions {
  uint64_t trials = 0;
  uint64_t seed = 1;
  std::filesystem::path agent;  // millwright-agent
};

// The figures; "failures" above 0 or "control_caught" false is a failed campaign.
Result<nlohmann::ordered_json> run_stroke_contract(const CampaignOptions& options);

}  // namespace millwright::campaign
