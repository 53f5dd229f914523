// SPDX-License-Identifier: Apache-2.0
// The campaign "swap": 400 new models in 10 s, each built while strokes come 2,000 times a second, and taken over
// between two of them. Rounds with swaps and without, an empty loop beside both for the tail of the machine itself; the
// control builds the model on the stroke's own thread, and must be caught.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// Trials are swaps; 400 are a round of 10 s.
Result<nlohmann::ordered_json> run_swap(const CampaignOptions& options);

}  // namespace millwright::campaign
