// SPDX-License-Identifier: Apache-2.0
// A process that runs the real stroke loop, ledger, writer and journal on strokes that another process counts in
// shared memory, as a PLC would: it goes on counting while this one is dead.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

namespace millwright::campaign {

inline constexpr int64_t kDeadlineNs = 50'000'000;

// In memory shared by both.
struct Plc {
  std::atomic<uint64_t> issued{0};  // strokes made so far; the PLC's counter
  std::atomic<uint64_t> taken{0};   // the last one whose samples were handed to a loop
  std::atomic<uint64_t> life{0};    // which loop runs; the first is 1
};

// How the child is broken on purpose, to prove that the campaign would notice.
enum class Broken : uint8_t {
  kNot,
  kForgets,      // throws away at every start what it knew of the strokes before
  kBlindToTime,  // its clock does not see how long the model took
  kWritesTwice,  // reports a failure after the lines were written
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
