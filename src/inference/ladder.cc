// SPDX-License-Identifier: Apache-2.0
#include "inference/ladder.h"

namespace millwright::inference {

std::string_view name(RungState state) {
  switch (state) {
    case RungState::kWaiting: return "waiting";
    case RungState::kTrying: return "trying";
    case RungState::kServing: return "serving";
    case RungState::kUnneeded: return "unneeded";
    case RungState::kUnavailable: return "unavailable";
    case RungState::kDisagrees: return "disagrees";
    case RungState::kTooSlow: return "too_slow";
    case RungState::kFailed: return "failed";
  }
  return "failed";
}

RungState state_of(const Error& why) {
  switch (why.code) {
    case ErrorCode::kUnsupported: return RungState::kUnavailable;
    case ErrorCode::kInvalidInput: return RungState::kDisagrees;
    case ErrorCode::kTimedOut: return RungState::kTooSlow;
    default: return RungState::kFailed;
  }
}

Climb climb(std::span<const Rung> rungs, const TryRung& try_rung, const TellRung& tell) {
  Climb result{.index = rungs.size(), .findings = {}};
  for (const Rung& rung : rungs) result.findings.push_back({.provider = rung.provider, .why = {}, .report = {}});
  const auto changed = [&](size_t i, RungState state) {
    result.findings[i].state = state;
    if (tell) tell(i, result.findings[i]);
  };
  for (size_t i = 0; i < rungs.size(); ++i) {
    if (result.index < i) {
      changed(i, RungState::kUnneeded);
      continue;
    }
    changed(i, RungState::kTrying);
    const Result<TrialReport> tried = try_rung(rungs[i]);
    if (tried) {
      result.index = i;
      result.findings[i].report = *tried;
      changed(i, RungState::kServing);
    } else {
      result.findings[i].why = tried.error().message;
      changed(i, state_of(tried.error()));
    }
  }
  return result;
}

}  // namespace millwright::inference
