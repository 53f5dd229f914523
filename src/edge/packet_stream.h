// SPDX-License-Identifier: Apache-2.0
// Where packets of samples belong in their sensor's stream: gaps, repeats, a sender that began again, and whether they
// come at the declared rate. The same for every way on which packets come.
#pragma once

#include <cstdint>

#include "edge/source.h"
#include "edge/udp_packet.h"
#include "signal/rate_check.h"

namespace millwright::edge {

// One thread; neither allocates nor waits.
class PacketStream {
 public:
  // rate_hz 0: no rate is declared, none is checked. `span_ns`: over how long arrivals are held against it.
  PacketStream(double rate_hz, int64_t span_ns);

  // Sets block.gap_frames, and counts gaps. False: the packet repeats what was there already.
  bool place(const PacketHeader& header, Block& block, SourceCounters& counters);
  // Of a block that was placed, with its frames and arrival.
  signal::SensorFault check_rate(const Block& block);

 private:
  [[nodiscard]] bool repeats_one(const PacketHeader& header) const;

  double rate_hz_;
  signal::RateCheck rate_;
  int64_t last_arrival_ns_ = 0;
  bool synced_ = false;
  PacketHeader first_;  // of the stream
  PacketHeader last_;
  uint64_t next_frame_ = 0;
  uint32_t repeats_ = 0;
};

}  // namespace millwright::edge
