// SPDX-License-Identifier: Apache-2.0
// The campaign "plc-link": no part is judged by another part's verdict, whatever the link does; and a frozen agent ends
// in the PLC's safe state.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

Result<nlohmann::ordered_json> run_plc_link(const CampaignOptions& options);

}  // namespace millwright::campaign
