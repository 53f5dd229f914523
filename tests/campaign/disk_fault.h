// SPDX-License-Identifier: Apache-2.0
// The campaign "disk-fault": the disk below a running agent fails in every way it can, and comes back.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// `options.trials` times a sync fails for a moment; then the longer faults. kUnavailable without libfiu.
Result<nlohmann::ordered_json> run_disk_fault(const CampaignOptions& options);

}  // namespace millwright::campaign
