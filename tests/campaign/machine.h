// SPDX-License-Identifier: Apache-2.0
// The machine of the campaign: makes strokes, and does to the process that watches them what happens to processes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "campaign/journal_check.h"
#include "campaign/plc_child.h"

namespace millwright::campaign {

struct RunFigures {
  JournalFindings findings;
  uint64_t kills = 0;
  uint64_t terms = 0;
  uint64_t stops = 0;  // SIGSTOP for longer than the deadline, then SIGCONT
  uint64_t bad_exits = 0;
};

struct RunPlan {
  std::filesystem::path folder;
  uint64_t trials = 0;
  uint64_t seed = 0;
  Broken broken = Broken::kNot;
  bool tells = false;  // progress on stderr
};

// Makes all strokes, then holds the records against them.
Result<RunFigures> run_machine(const RunPlan& plan);

}  // namespace millwright::campaign
