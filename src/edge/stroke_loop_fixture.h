// SPDX-License-Identifier: Apache-2.0
// What the tests of the stroke loop share.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "edge/fake_judge.h"
#include "edge/fake_records.h"
#include "edge/fake_source.h"
#include "edge/stroke_loop.h"

namespace millwright::edge {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr double kRate = 1000.0;  // 1 ms per sample

// The loop over a script of windows, each kFakeLength samples of one channel.
class StrokeLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.deadline_ns = 100 * kMs;
    options_.policy = {.on_start = FailSafe::kStop, .on_no_verdict = FailSafe::kHold, .stop_on_alarm = false};
  }

  static std::vector<float> window(float raw) {
    std::vector<float> samples(kFakeLength, 0.0F);
    samples[0] = 0.5F;
    samples[kFakeRaw] = raw;
    samples[kFakeLength - 1] = -0.5F;
    return samples;
  }

  // One stroke of the PLC's cycle, whole, after 8 ms.
  void play(std::vector<float> samples, uint64_t cycle, uint64_t gap = 0) {
    source_.add({.planar = std::move(samples),
                 .events = {{.sample = 0, .cycle = cycle}},
                 .gap_frames = gap,
                 .passes_ns = kFakeLength * kMs});
  }

  void run(bool with_judge = true) {
    auto cutter = signal::WindowCutter::create(signal::ExternalTrigger{}, 1, kFakeLength, kRate);
    ASSERT_TRUE(cutter);
    cutter_ = std::make_unique<signal::WindowCutter>(std::move(*cutter));
    auto ledger = Ledger::open({.path = folder_.path() / "ledger", .slots = slots_, .boot_id = "b"});
    ASSERT_TRUE(ledger);
    ledger_ = std::make_unique<Ledger>(std::move(*ledger));
    writer_ = std::make_unique<RecordWriter>(*ledger_, sink_, lines_, 0);
    loop_ = std::make_unique<StrokeLoop>(
        StrokeLoop::Parts{source_, *cutter_, clock_, *ledger_, *writer_, output_, counters_, nullptr, nullptr, pulse_},
        options_);
    if (with_judge) {
      loop_->offer(std::make_unique<FakeJudge>(
          1, kFakeLength, [this](float ms) { clock_.advance_ns(static_cast<int64_t>(ms) * kMs); }));
    }
    loop_->run();
    ASSERT_TRUE(writer_->finish(0));
  }

  FakeClock clock_{1'000 * kMs};
  FakeSource source_{{.channels = 1, .rate_hz = kRate}, clock_};
  TemporaryFolder folder_;
  FakeSink sink_;
  FakeOutput output_;
  RecordLines lines_{model::RecordContext{}};
  LoopCounters counters_;
  StrokeLoopOptions options_;
  PulseListener* pulse_ = nullptr;
  size_t slots_ = 64;
  std::unique_ptr<signal::WindowCutter> cutter_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<RecordWriter> writer_;
  std::unique_ptr<StrokeLoop> loop_;
};

}  // namespace millwright::edge
