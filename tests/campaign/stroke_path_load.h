// SPDX-License-Identifier: Apache-2.0
// The campaign "stroke-path-load": what telemetry at full replay, a scraper ten times a second and an open page cost
// the stroke path. Interleaved rounds of the same agent alone and loaded, with an empty loop beside both for the tail
// of the machine itself.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// Trials are rounds.
Result<nlohmann::ordered_json> run_stroke_path_load(const CampaignOptions& options);

}  // namespace millwright::campaign
