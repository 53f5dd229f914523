// SPDX-License-Identifier: Apache-2.0
#include "edge/packet_stream.h"

#include <algorithm>

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
// Silence beyond the longer of the two is a pause of the sender, not a slow stream.
constexpr double kPauseNs = 50e6;
constexpr double kPausePackets = 2.5;
// A step beyond this is another stream (the sender was restarted), not lost samples.
constexpr uint64_t kMaxGapFrames = 1 << 20;
// So many packets from the past in a row are not repeats: the sender's counters went back.
constexpr uint32_t kMaxRepeats = 16;

}  // namespace

PacketStream::PacketStream(double rate_hz, int64_t span_ns)
    : rate_hz_(rate_hz), rate_({.rate_hz = rate_hz, .span_ns = span_ns}) {}

// Arrivals against the declared rate, while the stream runs: a sender that is silent between strokes and does not step
// first_frame over the silence is not slow.
signal::SensorFault PacketStream::check_rate(const Block& block) {
  if (rate_hz_ <= 0.0) return signal::SensorFault::kNone;
  const auto nominal_ns = [&](uint64_t frames) {
    return static_cast<double>(frames) / rate_hz_ * static_cast<double>(kNanosPerSecond);
  };
  const double silent_ns = static_cast<double>(block.arrival_ns - last_arrival_ns_) - nominal_ns(block.gap_frames);
  last_arrival_ns_ = block.arrival_ns;
  if (silent_ns > std::max(kPauseNs, kPausePackets * nominal_ns(block.frames))) rate_.restart();
  return rate_.push(block.frames + block.gap_frames, block.arrival_ns);
}

// The network handed over twice what was sent once: the packet before, or the one that the stream began with while that
// is recent. A sender that began again tells itself apart by its cycle, or by what follows.
bool PacketStream::repeats_one(const PacketHeader& header) const {
  const auto same = [&](const PacketHeader& other) {
    return header.sequence == other.sequence && header.first_frame == other.first_frame &&
           header.frames == other.frames && header.cycle_frame == other.cycle_frame && header.cycle == other.cycle;
  };
  return synced_ && (same(last_) || (same(first_) && last_.sequence - first_.sequence < kMaxRepeats));
}

// Where in the stream the packet belongs. False: it repeats what was there already.
bool PacketStream::place(const PacketHeader& header, Block& block, SourceCounters& counters) {
  if (repeats_one(header)) return false;
  const bool restarted = !synced_ || header.sequence == 0 || header.first_frame > next_frame_ + kMaxGapFrames ||
                         next_frame_ > header.first_frame + kMaxGapFrames;
  const bool repeats = header.first_frame < next_frame_ || header.sequence <= last_.sequence;
  if (!restarted && repeats && ++repeats_ < kMaxRepeats) return false;
  if (!restarted && !repeats) {
    block.gap_frames = header.first_frame - next_frame_;
  } else if (synced_) {
    block.gap_frames = 1;  // how much is missing cannot be known; no window may lie across
  }
  if (block.gap_frames > 0) {
    counters.gaps.fetch_add(1, std::memory_order_relaxed);
    counters.frames_lost.fetch_add(block.gap_frames, std::memory_order_relaxed);
  }
  if (restarted || repeats) first_ = header;
  synced_ = true;
  repeats_ = 0;
  next_frame_ = header.first_frame + header.frames;
  last_ = header;
  return true;
}

}  // namespace millwright::edge
