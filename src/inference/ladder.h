// SPDX-License-Identifier: Apache-2.0
// The provider ladder: which execution provider may serve, found out by trying, from the top.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/rung.h"
#include "inference/trial.h"

namespace millwright::inference {

enum class RungState : uint8_t {
  kWaiting,      // not tried yet
  kTrying,       // its trial runs; an engine may be built
  kServing,      // the highest that passed
  kUnneeded,     // one above serves
  kUnavailable,  // not in this ONNX Runtime, a library is missing, or it cannot run the whole model
  kDisagrees,    // the golden vectors came out wrong
  kTooSlow,      // over its latency budget, or not ready within the deadline
  kFailed,       // it crashed, ran out of memory, or failed while it served
};
std::string_view name(RungState state);  // "waiting", ... as in metrics and status

struct RungFinding {
  Provider provider = Provider::kCpu;
  RungState state = RungState::kWaiting;
  std::string why;     // of the four last states; else empty
  TrialReport report;  // where it passed
};

// What became of a trial.
RungState state_of(const Error& why);

// Tries one rung on one model: golden vectors, then latency.
using TryRung = std::function<Result<TrialReport>(const Rung&)>;
// Told whenever a finding changes.
using TellRung = std::function<void(size_t index, const RungFinding&)>;

struct Climb {
  size_t index = 0;                   // of the rung that passed; as many as there are: none
  std::vector<RungFinding> findings;  // one per rung
};
// Tries rungs from the first on and stops at the first that passes.
Climb climb(std::span<const Rung> rungs, const TryRung& try_rung, const TellRung& tell = {});

}  // namespace millwright::inference
