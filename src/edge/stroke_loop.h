// SPDX-License-Identifier: Apache-2.0
// The walk of a stroke: source -> window -> sensor health -> judge -> verdict -> alarm -> output -> record. One thread
// per asset owns all of it. After the first stroke it neither allocates, locks, logs nor waits, except in the source.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "edge/alarm.h"
#include "edge/judge.h"
#include "edge/ledger.h"
#include "edge/loop_counters.h"
#include "edge/output.h"
#include "edge/record_writer.h"
#include "edge/source.h"
#include "edge/trend.h"
#include "signal/trigger.h"

namespace millwright::edge {

// A jump of the PLC's counter beyond this is no loss of strokes but another counter: counted as a resync.
inline constexpr uint64_t kMaxMissedCycles = 10'000;
// Nor can a machine have made more strokes than this since the last one that was seen: a few datagrams must not write a
// disk full of records. After a start nobody knows how long nobody looked; then kMaxMissedCycles alone is the bound.
inline constexpr double kMaxStrokesPerSecond = 1'000.0;
inline constexpr uint64_t kMissedAllowance = 16;  // jitter of arrival
// Strokes whose windows overlap, and that are on the ledger from their triggers on: as many as this, and as a quarter
// of the ledger's slots. One more gets its id when one of them is decided.
inline constexpr size_t kMaxOpenStrokes = 64;
inline constexpr int64_t kHeartbeatNs = 100'000'000;

// Sees every window that was not judged for want of a model. Called on the stroke thread.
class WindowCollector {
 public:
  virtual ~WindowCollector() = default;
  virtual void collect(const signal::Window& window) noexcept = 0;
};

// Sees every stroke that had its window, after its record was decided. Called on the stroke thread: must copy what it
// wants, and neither wait, allocate nor lock.
class WindowWatcher {
 public:
  virtual ~WindowWatcher() = default;
  virtual void decided(const model::StrokeRecord& record, const signal::Window& window) noexcept = 0;
};

// Hears that the loop has come round, every kHeartbeatNs while it lives. Called on the stroke thread: must neither
// wait, allocate nor lock.
class PulseListener {
 public:
  virtual ~PulseListener() = default;
  virtual void pulse(int64_t now_ns) noexcept = 0;
};

struct StrokeLoopOptions {
  int64_t deadline_ns = 0;     // from the trigger to the output
  bool expects_judge = false;  // a bundle is configured: without a judge the reason is "starting", not "no model"
  double max_strokes_per_second = kMaxStrokesPerSecond;  // 0: only kMaxMissedCycles bounds what was missed
  OutputPolicy policy;
  AlarmOptions alarm;
  TrendOptions trend;
};

class StrokeLoop {
 public:
  // What the loop works with; all must outlive it.
  struct Parts {
    SampleSource& source;
    signal::WindowCutter& cutter;
    const Clock& clock;
    Ledger& ledger;
    RecordWriter& writer;
    Output& output;
    LoopCounters& counters;
    WindowCollector* collector = nullptr;
    WindowWatcher* watcher = nullptr;
    PulseListener* pulse = nullptr;
  };
  StrokeLoop(const Parts& parts, const StrokeLoopOptions& options);
  ~StrokeLoop();
  StrokeLoop(const StrokeLoop&) = delete;
  StrokeLoop& operator=(const StrokeLoop&) = delete;

  // Until the source ends or is stopped. The calling thread becomes the stroke thread.
  void run();

  // --- from any other thread ---

  // Takes over at the next stroke boundary. The judge that is replaced, or was never used, comes back by retired().
  void offer(std::unique_ptr<Judge> judge);
  std::unique_ptr<Judge> retired();
  // No judge will come: the reason is "no model" from now on.
  void give_up_judge() { expects_judge_.store(false, std::memory_order_relaxed); }
  void acknowledge() { acknowledge_.store(true, std::memory_order_relaxed); }
  // 0 ends it.
  void shelve_ns(int64_t duration_ns) { shelve_ns_.store(duration_ns, std::memory_order_relaxed); }

 private:
  struct Stroke;
  // A trigger that has its id while its window waits for samples or for its turn.
  struct Open {
    signal::TriggerEvent trigger;
    TriggerStamp stamp;
    Ledger::Opened opened;
  };

  void take(const Block& block);
  void take_offered();
  void watch_pending();
  void close_pending(model::Reason reason);
  void open_waiting();
  [[nodiscard]] Open open(const signal::TriggerEvent& trigger);
  [[nodiscard]] std::vector<Open>::const_iterator find_open(const signal::TriggerEvent& trigger) const;
  void account_cycle(const TriggerStamp& stamp);
  [[nodiscard]] uint64_t most_missed(int64_t now_ns) const;
  Stroke begin(const signal::TriggerEvent& trigger);
  void finish(Stroke& stroke, const signal::WindowCutter::Cut* cut, model::Reason reason);
  model::Reason examine(Stroke& stroke, const signal::WindowCutter::Cut& cut);
  model::Reason judge(Stroke& stroke, const signal::Window& window);
  void conclude(Stroke& stroke);
  void count(const model::StrokeRecord& record, int64_t now_ns);
  void beat(int64_t now_ns);
  void tell_alarm();
  [[nodiscard]] int64_t wake_time() const;
  [[nodiscard]] int64_t trigger_time(uint64_t sample) const;
  [[nodiscard]] int64_t waiting_since(const signal::TriggerEvent& trigger) const;
  [[nodiscard]] bool late(int64_t triggered_ns) const;

  Parts parts_;
  StrokeLoopOptions options_;
  Alarm alarm_;
  Trend trend_;
  std::vector<signal::HealthReference> no_references_;
  std::vector<signal::TriggerEvent> events_;
  std::unique_ptr<Judge> judge_;
  std::atomic<Judge*> offered_{nullptr};
  std::atomic<Judge*> retired_{nullptr};
  std::atomic<bool> expects_judge_;
  std::atomic<bool> acknowledge_{false};
  static constexpr int64_t kNothingAsked = -1;
  std::atomic<int64_t> shelve_ns_{kNothingAsked};

  SourceShape shape_;
  uint64_t stream_frames_ = 0;       // samples and gaps so far
  int64_t arrival_ns_ = 0;           // of the last frame
  std::optional<int64_t> cycle_ns_;  // monotonic instant of the last stroke with a cycle, in this life
  signal::SensorFault stream_fault_ = signal::SensorFault::kNone;
  size_t max_open_;
  std::vector<Open> open_;  // at most max_open_
  bool stopped_ = true;     // the output's stop bit
  model::Verdict last_verdict_ = model::Verdict::kNoVerdict;
  int64_t next_beat_ns_ = 0;
  uint64_t beats_ = 0;
};

}  // namespace millwright::edge
