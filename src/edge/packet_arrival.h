// SPDX-License-Identifier: Apache-2.0
// When a datagram arrived, which is not when it was read: while this process stands still, packets wait in the socket's
// buffer, and a stroke in them grows old all the same.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace millwright::edge {

// The kernel stamps a datagram with the wall clock as it arrives; deadlines are kept by the monotonic one. The wall
// clock may be set while packets wait, so a stamp is believed only between what is certain: not before the buffer was
// last seen empty, not before the packet in front, and not after now. In doubt a packet is older: a stroke that is
// called late too often is a NO_VERDICT, one that is called late too seldom is a late GO. One thread.
class PacketArrival {
 public:
  // The socket was opened at this instant of both clocks.
  PacketArrival(int64_t monotonic_ns, int64_t wall_ns) { drained(monotonic_ns, wall_ns); }
  // The buffer was empty at this instant.
  void drained(int64_t monotonic_ns, int64_t wall_ns);
  // Monotonic instant at which the next packet arrived: `stamp_ns` is the kernel's (nullopt: there was none), the
  // others are the clocks as they are now.
  int64_t of_next(std::optional<int64_t> stamp_ns, int64_t monotonic_ns, int64_t wall_ns);

 private:
  int64_t earliest_ns_ = std::numeric_limits<int64_t>::min();  // monotonic
  int64_t wall_offset_ns_ = 0;  // wall minus monotonic when the buffer was last seen empty
};

}  // namespace millwright::edge
