// SPDX-License-Identifier: Apache-2.0
// A process that runs the real stroke loop, ledger, writer and journal on strokes that another process counts in
// shared memory, as a PLC would: it goes on counting while this one is dead.
#pragma once

#include <cstdint>
#include <filesystem>

#include "campaign/plc.h"

namespace millwright::campaign {

// How the child is broken on purpose, to prove that the campaign would notice.
enum class Broken : uint8_t {
  kNot,
  kForgets,          // throws away at every start what it knew of the strokes before
  kBlindToTime,      // its clock does not see how long the model took
  kWritesTwice,      // reports a failure after the lines were written
  kArrivalWhenRead,  // its samples arrived when they were read, however long they had waited
};

struct ChildPlan {
  std::filesystem::path folder;
  uint64_t seed = 0;
  uint64_t life = 0;
  Broken broken = Broken::kNot;
};

// Runs until SIGTERM, then drains; the exit status of the process.
int run_plc_child(Plc& plc, const ChildPlan& plan);

}  // namespace millwright::campaign
