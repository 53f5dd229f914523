// SPDX-License-Identifier: Apache-2.0
// A press that does not exist, as a source: strokes at a steady pace, with the PLC's cycle counter.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "edge/press_signal.h"
#include "edge/source.h"
#include "edge/waiter.h"

namespace millwright::edge {

struct SimulatedPressOptions {
  PressOptions press;
  double strokes_per_minute = 18.0;
  double fast_strokes_per_minute = 0.0;  // at most, when fast; 0: as many as there can be
  uint64_t first_stroke = 1;             // its number is the PLC's cycle
  uint64_t strokes = 0;                  // how many; 0: endless
  bool fast = false;                     // without waiting, and without what lies between the strokes
};

class SimulatedPress final : public SampleSource {
 public:
  // kInvalidInput where the strokes do not fit into their pace.
  static Result<std::unique_ptr<SimulatedPress>> create(const SimulatedPressOptions& options, const Clock& clock);

  [[nodiscard]] SourceShape shape() const override { return {options_.press.channels, options_.press.rate_hz}; }
  Block next(size_t max_frames, int64_t until_ns) override;
  void stop() noexcept override { waiter_.stop(); }
  [[nodiscard]] bool live() const override { return !options_.fast; }
  [[nodiscard]] const SourceCounters& counters() const override { return counters_; }

 private:
  SimulatedPress(const SimulatedPressOptions& options, const Clock& clock, size_t margin, size_t period);
  bool prepare(size_t max_frames);
  [[nodiscard]] int64_t earliest_ns() const;

  SimulatedPressOptions options_;
  const Clock& clock_;
  PressSignal signal_;
  size_t margin_;
  size_t period_;  // frames from stroke to stroke
  SourceCounters counters_;
  Waiter waiter_;
  std::vector<float> stroke_;  // the whole stroke, planar
  std::vector<float> block_;   // what next() hands out
  signal::TriggerEvent event_;
  uint64_t done_ = 0;       // strokes begun
  size_t position_ = 0;     // frames of the present period handed out
  size_t ready_ = 0;        // frames in block_, not handed out yet
  bool has_event_ = false;  // in block_
  int64_t started_ns_ = -1;
  uint64_t emitted_ = 0;  // frames since the start
};

}  // namespace millwright::edge
