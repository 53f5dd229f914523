// SPDX-License-Identifier: Apache-2.0
// An agent that is killed again and again while it makes, keeps and sends alerts: nothing that its journal holds may
// be missing at the hub, and nothing may be there twice.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// `trials` kills of one agent beside a real broker that holds, and a hub that stores; the control's hub confirms some
// that it has forgotten.
Result<nlohmann::ordered_json> run_agent_kill(const CampaignOptions& options);

}  // namespace millwright::campaign
