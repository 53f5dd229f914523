// SPDX-License-Identifier: Apache-2.0
#include "edge/packet_arrival.h"

#include <algorithm>

namespace millwright::edge {
namespace {

// Two clocks cannot be read at one instant, and the wall clock is steered: less than this is no jump.
constexpr int64_t kClockSlackNs = 1'000'000;

}  // namespace

void PacketArrival::drained(int64_t monotonic_ns, int64_t wall_ns) {
  earliest_ns_ = std::max(earliest_ns_, monotonic_ns);
  wall_offset_ns_ = wall_ns - monotonic_ns;
}

int64_t PacketArrival::of_next(std::optional<int64_t> stamp_ns, int64_t monotonic_ns, int64_t wall_ns) {
  // Was the clock set since then, the stamp is read by the reckoning that makes the packet older.
  const int64_t offset = std::max(wall_offset_ns_, wall_ns - monotonic_ns);
  const bool believable = stamp_ns && *stamp_ns - offset <= monotonic_ns + kClockSlackNs;
  const int64_t stamped = believable ? *stamp_ns - offset : earliest_ns_;
  earliest_ns_ = std::clamp(stamped, std::min(earliest_ns_, monotonic_ns), monotonic_ns);
  return earliest_ns_;
}

}  // namespace millwright::edge
