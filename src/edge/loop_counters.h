// SPDX-License-Identifier: Apache-2.0
// What the stroke thread tells the rest of the program: counters that it alone changes and anyone may read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "edge/alarm.h"
#include "edge/histogram.h"
#include "edge/notice.h"
#include "metrics/metric.h"
#include "model/verdict.h"

namespace millwright::edge {

// One writer: a plain load and store, no locked instruction.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// The buckets that were agreed for edge_inference_latency_ms.
inline constexpr std::array<double, 8> kInferenceBoundsMs = {5, 10, 25, 50, 100, 200, 500, 1000};

struct LoopCounters {
  Notice model_failure;
  Counter strokes;  // every one that got an id here: triggers and missed ones
  std::array<Counter, 3> verdicts;
  std::array<Counter, 10> reasons;
  Counter cycles_missed;  // strokes that the PLC counted and nobody saw
  Counter cycle_resyncs;  // jumps too far to be strokes
  Counter cycle_resets;   // the PLC's counter went back
  Counter cycle_repeats;  // the same cycle twice
  Counter late_events;    // triggers whose samples had passed already
  Counter judge_swaps;
  Counter alarms_raised;
  Counter alarms_suppressed;
  std::atomic<AlarmState> alarm_state{AlarmState::kNormal};
  std::atomic<double> last_score{-1.0};  // below 0: none yet
  std::atomic<bool> trend_rising{false};
  Counter strokes_left;
  LatencyHistogram latency;                             // trigger to verdict
  LatencyHistogram deciding;                            // the window's last sample to verdict
  metrics::Histogram inference_ms{kInferenceBoundsMs};  // the same, of strokes with a verdict
};

}  // namespace millwright::edge
