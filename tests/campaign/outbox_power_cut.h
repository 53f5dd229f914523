// SPDX-License-Identifier: Apache-2.0
// The campaign "outbox-power-cut": a whole machine, a kernel with a disk of its own, loses its power again and again
// while records go through journal, feeder and outbox. What it called durable must be there when it is back.
#pragma once

#include <cstdint>
#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::campaign {

// `cuts` times the user-mode kernel is killed. kUnavailable where there is none: tools/setup.sh --campaign.
Result<nlohmann::ordered_json> run_outbox_power_cut(uint64_t cuts, uint64_t seed, const std::filesystem::path& guest);

}  // namespace millwright::campaign
