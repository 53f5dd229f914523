// SPDX-License-Identifier: Apache-2.0
// The campaign "outbox-kill": a process that stores and delivers is killed; nothing that was durable may be lost,
// nothing may come twice under two names.
#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::campaign {

// `kills` lives, each ended by SIGKILL: half of them from outside at a random moment, half at an operation of the file.
Result<nlohmann::ordered_json> run_outbox_kill(uint64_t kills, uint64_t seed);

}  // namespace millwright::campaign
