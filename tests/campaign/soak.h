// SPDX-License-Identifier: Apache-2.0
// The campaign "soak": an agent at 100 strokes a second with a fault every minute, for as many seconds as it is told.
// It may grow by nothing, and lose nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

Result<nlohmann::ordered_json> run_soak(const CampaignOptions& options);

}  // namespace millwright::campaign
