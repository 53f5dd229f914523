// SPDX-License-Identifier: Apache-2.0
// How long a PLC lets the machine run after the agent froze.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"

namespace millwright::campaign {

inline constexpr int64_t kFreezeBarNs = 300'000'000;

struct FreezeFigures {
  std::vector<int64_t> to_safe_ns;  // one for each trial; a trial that never became safe has kNeverNs
  uint64_t repeated = 0;            // trials in which the simulated PLC itself did not get the processor
};
inline constexpr int64_t kNeverNs = 2'000'000'000;

// The real agent, with all of its threads, stands still: SIGSTOP.
Result<FreezeFigures> stop_agent(const std::filesystem::path& agent, size_t trials, uint64_t seed);
// The real stroke loop hangs in its source, while every other thread goes on. `by_timer`: broken on purpose, the
// heartbeat comes from a thread of its own.
Result<FreezeFigures> hang_loop(size_t trials, uint64_t seed, bool by_timer);

}  // namespace millwright::campaign
