// SPDX-License-Identifier: Apache-2.0
// The same with the real program: strokes come by UDP, the agent is killed and started again.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "campaign/journal_check.h"

namespace millwright::campaign {

struct AgentPlan {
  std::filesystem::path folder;
  std::filesystem::path agent;
  uint64_t strokes = 0;
  uint64_t seed = 0;
};

struct AgentFigures {
  JournalFindings findings;
  uint64_t strokes = 0;
  uint64_t kills = 0;
  uint64_t bad_exits = 0;
};

Result<AgentFigures> run_agents(const AgentPlan& plan);

}  // namespace millwright::campaign
