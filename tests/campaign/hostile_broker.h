// SPDX-License-Identifier: Apache-2.0
// The campaign "hostile-broker": real agents, each beside a broker that does not keep to the rules in its own way, then
// beside a good one. Memory must stay flat, attempts to connect at most one a second, nothing may be lost but what a
// broker took and forgot, and of that no alert. Controls: a box that believes such a broker, a client without patience,
// a process that grows.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// Each hostile broker has its way for `options.trials` seconds.
Result<nlohmann::ordered_json> run_hostile_broker(const CampaignOptions& options);

}  // namespace millwright::campaign
