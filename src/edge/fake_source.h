// SPDX-License-Identifier: Apache-2.0
// A source that plays a script, on a clock that the test owns.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "edge/source.h"

namespace millwright::edge {

class FakeSource final : public SampleSource {
 public:
  struct Step {
    std::vector<float> planar;  // empty: nothing comes (kIdle)
    std::vector<signal::TriggerEvent> events;
    uint64_t gap_frames = 0;
    signal::SensorFault fault = signal::SensorFault::kNone;
    int64_t passes_ns = 0;  // on the clock, before the step
  };

  FakeSource(SourceShape shape, FakeClock& clock) : shape_(shape), clock_(clock) {}
  void add(Step step) { steps_.push_back(std::move(step)); }
  void stop_at_end() { stops_ = true; }

  [[nodiscard]] SourceShape shape() const override { return shape_; }
  Block next(size_t, int64_t until_ns) override {
    if (at_ == steps_.size()) return {.kind = stops_ ? Block::Kind::kStopped : Block::Kind::kEnd};
    Step& step = steps_[at_];
    // Time passes in pieces, as the loop asks for them.
    const int64_t left = until_ns - clock_.monotonic_ns();
    if (step.passes_ns > left && left >= 0) {
      step.passes_ns -= left;
      clock_.advance_ns(left);
      return {};
    }
    clock_.advance_ns(std::exchange(step.passes_ns, 0));
    ++at_;
    if (step.planar.empty()) return {};
    return {.kind = Block::Kind::kSamples,
            .planar = step.planar,
            .frames = step.planar.size() / shape_.channels,
            .arrival_ns = clock_.monotonic_ns(),
            .gap_frames = step.gap_frames,
            .fault = step.fault,
            .events = step.events};
  }
  void stop() noexcept override { stops_ = true; }
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const SourceCounters& counters() const override { return counters_; }

 private:
  SourceShape shape_;
  FakeClock& clock_;
  SourceCounters counters_;
  std::vector<Step> steps_;
  size_t at_ = 0;
  bool stops_ = false;
};

}  // namespace millwright::edge
