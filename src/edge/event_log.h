// SPDX-License-Identifier: Apache-2.0
// What happened, one JSON object per line on stderr. Never called from the stroke thread.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace millwright::edge {

enum class Level { kInfo, kWarning, kError };

// {"timestamp": ..., "level": ..., "event": ..., then the members of `details`}. One write per line.
void log_event(Level level, std::string_view event, const nlohmann::json& details);

}  // namespace millwright::edge
