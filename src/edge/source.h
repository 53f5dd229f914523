// SPDX-License-Identifier: Apache-2.0
// Where samples come from: a sensor, a recording, a simulation. The stroke thread owns the source and sleeps nowhere
// else than in its next().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "signal/health.h"
#include "signal/trigger.h"

namespace millwright::edge {

struct SourceShape {
  size_t channels = 1;
  double rate_hz = 0.0;  // 0 where the axis is not time
};

struct Block {
  enum class Kind : uint8_t {
    kSamples,
    kIdle,     // nothing until the time that was asked for
    kEnd,      // there will be nothing more
    kStopped,  // stop() was called
  };
  Kind kind = Kind::kIdle;
  std::span<const float> planar;                           // as in signal::Window; valid until the next call
  size_t frames = 0;                                       // samples per channel
  int64_t arrival_ns = 0;                                  // monotonic instant of the last frame
  uint64_t gap_frames = 0;                                 // frames lost before this block
  signal::SensorFault fault = signal::SensorFault::kNone;  // of the stream itself: kWrongRate
  std::span<const signal::TriggerEvent> events;            // sample: index into this block; valid until the next call
};

// What a source counts; read by any thread.
struct SourceCounters {
  std::atomic<uint64_t> frames{0};
  std::atomic<uint64_t> gaps{0};
  std::atomic<uint64_t> frames_lost{0};
  std::atomic<uint64_t> refused{0};   // packets that were not what they claim to be
  std::atomic<uint64_t> left_out{0};  // messages that found no room, since strokes were too slow for them
};

// How a source stands to a far side that it has to reach first.
struct SourceLink {
  bool up = false;
  uint64_t connects = 0;
  std::string why;  // it is not up; empty: it has not been tried yet
};

class SampleSource {
 public:
  virtual ~SampleSource() = default;
  [[nodiscard]] virtual SourceShape shape() const = 0;
  // The next block, at most `max_frames` long; waits no longer than until `until_ns` (monotonic) or stop(). Neither
  // allocates nor fails after construction: what goes wrong is a gap, and counted.
  virtual Block next(size_t max_frames, int64_t until_ns) = 0;
  // From any thread: next() returns kStopped as soon as it can.
  virtual void stop() noexcept = 0;
  // Does the world go on while nobody listens? A source that is not live waits until the asset is ready.
  [[nodiscard]] virtual bool live() const = 0;
  [[nodiscard]] virtual const SourceCounters& counters() const = 0;
  // One other thread: why something was refused, the first since it was last asked; nullopt: nothing was, or the source
  // only counts.
  virtual std::optional<std::string> refusal() { return std::nullopt; }
  // Any thread; nullopt where samples come, or do not, without anybody being reached.
  [[nodiscard]] virtual std::optional<SourceLink> link() const { return std::nullopt; }
};

}  // namespace millwright::edge
