// SPDX-License-Identifier: Apache-2.0
// The campaign "broker-kill": a real mosquitto that saves as seldom as it does by default is killed while a real agent
// speaks and a hub listens, or is away and relies on its session. No alert may be lost, none may come twice under two
// names. Control: a box that believes the broker's own acknowledgement.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// `options.trials` SIGKILLs.
Result<nlohmann::ordered_json> run_broker_kill(const CampaignOptions& options);

}  // namespace millwright::campaign
