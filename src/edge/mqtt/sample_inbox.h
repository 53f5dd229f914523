// SPDX-License-Identifier: Apache-2.0
// Between the thread that hears messages and the stroke thread: a bounded ring of unpacked messages. Where strokes are
// too slow for it, messages are left out; each window that is left out still becomes a stroke, one without samples.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "edge/mqtt/sample_payload.h"
#include "edge/notice.h"
#include "edge/packet_stream.h"
#include "edge/source.h"

namespace millwright::edge {

inline constexpr size_t kMaxMessageBytes = 8 << 20;
inline constexpr size_t kMaxPacketFrames = 4096;  // per channel

struct InboxOptions {
  WindowPayload payload;  // its kind may be kPacket; then length does not count
  double rate_hz = 0.0;
  int64_t rate_span_ns = 5'000'000'000;  // over which arrivals are held against rate_hz; packets only
  size_t slots = 0;                      // messages that wait; 0: as many as fit into 32 MiB, 8 to 256
};

class SampleInbox {
 public:
  explicit SampleInbox(const InboxOptions& options);

  // The largest payload that can be anything of ours.
  [[nodiscard]] size_t payload_limit() const;

  // --- the thread that hears; never waits
  void put(std::string_view payload, int64_t arrival_ns);
  void refuse(std::string_view why);

  // --- the stroke thread; neither allocates nor waits
  // At most `max_frames`, at least 2; nullopt: nothing is there. The samples stay where they are until the next call.
  std::optional<Block> take(size_t max_frames);
  // Before a wait for event(): false where something is there after all.
  [[nodiscard]] bool may_sleep();
  void awake();
  [[nodiscard]] int event() const { return event_.get(); }

  // --- any thread
  [[nodiscard]] const SourceCounters& counters() const { return counters_; }
  // --- one other thread
  std::optional<std::string> refusal() { return refusal_.take(); }

 private:
  struct Slot {
    std::vector<float> planar;  // channels x frames
    size_t frames = 0;
    PacketHeader header;  // of a packet
    int64_t arrival_ns = 0;
    uint64_t left_out = 0;  // messages, since the start
  };
  [[nodiscard]] bool packets() const { return options_.payload.kind == PayloadKind::kPacket; }
  bool unpack(std::string_view payload, Slot& slot);
  Block window_without_samples(int64_t arrival_ns);
  Block end_of_gap();
  std::optional<Block> take_front(size_t max_frames);
  bool begin(Slot& slot, Block& block);
  void release();

  const InboxOptions options_;
  std::vector<Slot> slots_;
  Descriptor event_;
  SourceCounters counters_;
  Notice refusal_;
  PacketStream stream_;
  alignas(64) std::atomic<uint64_t> head_{0};  // messages put
  alignas(64) std::atomic<uint64_t> tail_{0};  // messages taken
  std::atomic<bool> sleeping_{false};
  std::atomic<int64_t> left_out_ns_{0};  // arrival of the last message that was left out
  // The stroke thread's.
  std::vector<float> part_;  // of a message that is longer than a block
  size_t position_ = 0;      // frames of the front message that went out
  bool taken_ = false;       // the front message is out, and its samples are still looked at
  uint64_t seen_left_out_ = 0;
  uint64_t gap_frames_ = 0;  // before the next block
  signal::TriggerEvent event_at_;
};

}  // namespace millwright::edge
