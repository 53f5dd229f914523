// SPDX-License-Identifier: Apache-2.0
#include "edge/stroke_loop.h"

#include <cstdlib>
#include <limits>
#include <new>

#include <gtest/gtest.h>

#include "edge/stroke_loop_fixture.h"

namespace {

// Every allocation of this thread, while somebody counts.
thread_local bool counting = false;
thread_local uint64_t allocations = 0;

#ifndef MILLWRIGHT_SANITIZED  // a sanitizer owns operator new
void* allocate(size_t bytes) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
#endif

}  // namespace

#ifndef MILLWRIGHT_SANITIZED
void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace millwright::edge {
namespace {

using model::Reason;
using model::StrokeRecord;
using model::Verdict;

TEST_F(StrokeLoopTest, AGoodStrokeIsGoAndABadOneIsNoGo) {
  play(window(0.2F), 1);
  play(window(5.0F), 2);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].verdict, Verdict::kGo);
  EXPECT_EQ(sink_.records[0].plc_cycle, 1U);
  EXPECT_FALSE(sink_.records[0].output_stop);
  EXPECT_EQ(sink_.records[1].verdict, Verdict::kNoGo);
  EXPECT_TRUE(sink_.records[1].is_alert);
  EXPECT_TRUE(sink_.records[1].output_stop);
  EXPECT_NE(sink_.records[1].model, Digest{});
  EXPECT_EQ(output_.states.back().verdict, Verdict::kNoGo);
}

TEST_F(StrokeLoopTest, ASlowModelIsNeverALateGo) {
  auto slow = window(0.2F);
  slow[kFakeMs] = 200.0F;
  play(slow, 1);
  play(window(0.2F), 2);
  run();
  EXPECT_EQ(sink_.records[0].verdict, Verdict::kNoVerdict);
  EXPECT_EQ(sink_.records[0].reason, Reason::kDeadline);
  EXPECT_GE(sink_.records[0].latency_ns, 200 * kMs);
  EXPECT_EQ(sink_.records[1].verdict, Verdict::kGo);
}

TEST_F(StrokeLoopTest, AVerdictThatIsTakenBackFeedsNoAlarm) {
  options_.alarm = {.raise_n = 1, .raise_m = 1};
  options_.policy.stop_on_alarm = true;
  options_.policy.on_start = FailSafe::kPass;
  // The output takes longer than the deadline, once.
  output_.on_drive = [this, first = true]() mutable {
    if (output_.states.back().verdict == Verdict::kNoGo && std::exchange(first, false)) clock_.advance_ns(200 * kMs);
  };
  play(window(5.0F), 1);
  play(window(0.2F), 2);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].reason, Reason::kDeadline);
  EXPECT_FALSE(sink_.records[0].alarm_active);
  EXPECT_FALSE(sink_.records[0].output_stop);
  EXPECT_FALSE(sink_.records[1].alarm_active);
  EXPECT_EQ(counters_.alarms_raised.get(), 0U);
}

TEST_F(StrokeLoopTest, ALatchedAlarmStandsAfterARestart) {
  options_.alarm = {.raise_n = 1, .raise_m = 1, .clear_strokes = 1, .latch = true};
  options_.policy.stop_on_alarm = true;
  options_.policy.on_start = FailSafe::kPass;
  play(window(5.0F), 1);
  play(window(0.2F), 2);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_TRUE(sink_.records[1].alarm_active);
  output_.states.clear();
  play(window(0.2F), 3);
  run();
  EXPECT_TRUE(output_.states.front().stop);
  EXPECT_TRUE(sink_.records.back().alarm_active);
  EXPECT_TRUE(sink_.records.back().output_stop);
}

TEST_F(StrokeLoopTest, AWindowThatComesLateIsNotEvenJudged) {
  source_.add({.planar = {0.5F, 0.1F, 0.0F, 0.0F}, .events = {{.sample = 0, .cycle = 1}}, .passes_ns = 4 * kMs});
  source_.add({.planar = {0.0F, 0.1F, 0.2F, 0.3F}, .passes_ns = 500 * kMs});
  play(window(0.2F), 2);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].reason, Reason::kDeadline);
  EXPECT_LT(sink_.records[0].latency_ns, 110 * kMs) << "the deadline itself wakes the loop";
  EXPECT_EQ(sink_.records[1].verdict, Verdict::kGo);
}

TEST_F(StrokeLoopTest, ModelErrorsAreNoVerdict) {
  auto nan = window(0.2F);
  nan[kFakeNan] = 1.0F;
  auto failing = window(0.2F);
  failing[kFakeFails] = 1.0F;
  play(nan, 1);
  play(failing, 2);
  run();
  for (const StrokeRecord& record : sink_.records) {
    EXPECT_EQ(record.verdict, Verdict::kNoVerdict);
    EXPECT_EQ(record.reason, Reason::kModelError);
  }
  // The first cause waits for whoever logs it; what came meanwhile is dropped.
  EXPECT_EQ(counters_.model_failure.take(), "the score is not a finite number");
  EXPECT_EQ(counters_.model_failure.take(), std::nullopt);
  play(failing, 3);
  run();
  EXPECT_EQ(counters_.model_failure.take(), "the script says so");
}

TEST_F(StrokeLoopTest, ASensorFaultIsNeitherGoNorNoGo) {
  auto broken = window(5.0F);
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  play(broken, 1);
  play(std::vector<float>(kFakeLength, 0.25F), 2);
  run();
  EXPECT_EQ(sink_.records[0].reason, Reason::kSensorFault);
  EXPECT_EQ(sink_.records[0].sensor_fault, signal::SensorFault::kNotFinite);
  EXPECT_EQ(sink_.records[1].reason, Reason::kSensorFault);
  EXPECT_EQ(sink_.records[1].sensor_fault, signal::SensorFault::kFlatLine);
}

TEST_F(StrokeLoopTest, AHoleInTheWindowIsSamplesLost) {
  source_.add({.planar = {0.5F, 0.1F, 0.0F, 0.0F}, .events = {{.sample = 0, .cycle = 1}}, .passes_ns = 4 * kMs});
  source_.add({.planar = {0.3F, 0.4F}, .gap_frames = 2, .passes_ns = 4 * kMs});
  run();
  ASSERT_EQ(sink_.records.size(), 1U);
  EXPECT_EQ(sink_.records[0].reason, Reason::kSamplesLost);
  EXPECT_EQ(sink_.records[0].sensor_fault, signal::SensorFault::kGap);
}

TEST_F(StrokeLoopTest, AStreamAtTheWrongRateIsASensorFaultUntilItIsRight) {
  source_.add({.planar = window(0.2F),
               .events = {{.sample = 0, .cycle = 1}},
               .fault = signal::SensorFault::kWrongRate,
               .passes_ns = kFakeLength * kMs});
  play(window(0.2F), 2);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].reason, Reason::kSensorFault);
  EXPECT_EQ(sink_.records[0].sensor_fault, signal::SensorFault::kWrongRate);
  EXPECT_EQ(sink_.records[1].verdict, Verdict::kGo);
}

TEST_F(StrokeLoopTest, WithoutAModelTheRecordSaysWhy) {
  play(window(0.2F), 1);
  run(false);
  EXPECT_EQ(sink_.records[0].reason, Reason::kNoModel);
}

TEST_F(StrokeLoopTest, BeforeTheModelIsThereTheReasonIsStarting) {
  options_.expects_judge = true;
  play(window(0.2F), 1);
  run(false);
  EXPECT_EQ(sink_.records[0].reason, Reason::kStarting);
}

TEST_F(StrokeLoopTest, MissedCyclesGetARecordEach) {
  play(window(0.2F), 10);
  play(window(0.2F), 14);
  run();
  ASSERT_EQ(sink_.records.size(), 5U);
  for (uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sink_.records[i].stroke_id, i + 1);
    EXPECT_EQ(sink_.records[i].plc_cycle, 10 + i);
    EXPECT_EQ(sink_.records[i].reason, i == 0 || i == 4 ? Reason::kNone : Reason::kMissed);
  }
  EXPECT_EQ(counters_.cycles_missed.get(), 3U);
}

TEST_F(StrokeLoopTest, ACounterThatJumpsTooFarOrBackIsNoLoss) {
  play(window(0.2F), 10);
  play(window(0.2F), 10 + kMaxMissedCycles + 2);
  play(window(0.2F), 3);
  play(window(0.2F), 3);
  run();
  EXPECT_EQ(sink_.records.size(), 4U);
  EXPECT_EQ(counters_.cycle_resyncs.get(), 1U);
  EXPECT_EQ(counters_.cycle_resets.get(), 1U);
  EXPECT_EQ(counters_.cycle_repeats.get(), 1U);
}

TEST_F(StrokeLoopTest, AFewPacketsCannotMakeMoreRecordsThanAMachineMakesStrokes) {
  for (uint64_t i = 0; i < 8; ++i) play(window(0.2F), 1 + i * kMaxMissedCycles);
  run();
  EXPECT_EQ(sink_.records.size(), 8U);
  EXPECT_EQ(counters_.cycle_resyncs.get(), 7U);
}

TEST_F(StrokeLoopTest, WhatAMachineCanHaveMadeMeanwhileIsMissed) {
  play(window(0.2F), 1);
  source_.add({.passes_ns = 3'000 * kMs});
  play(window(0.2F), 3'002);
  run();
  EXPECT_EQ(sink_.records.size(), 3'002U);
  EXPECT_EQ(counters_.cycles_missed.get(), 3'000U);
}

TEST_F(StrokeLoopTest, AfterAStartStrokesAreMissedThatNobodyWatched) {
  {
    auto ledger = Ledger::open({.path = folder_.path() / "ledger", .slots = slots_, .boot_id = "b"});
    ASSERT_TRUE(ledger);
    ledger->add_run(Reason::kMissed, {.plc_cycle = 10}, 1);
    ledger->release(1);
  }
  play(window(0.2F), 2'011);
  run();
  EXPECT_EQ(counters_.cycles_missed.get(), 2'000U);
}

TEST_F(StrokeLoopTest, AFullLedgerIsOverloadAndTheOutputFollowsThePolicy) {
  slots_ = 4;
  options_.policy.on_no_verdict = FailSafe::kStop;
  for (uint64_t cycle = 1; cycle <= 10; ++cycle) play(window(0.2F), cycle);
  run();
  ASSERT_EQ(sink_.records.size(), 10U);
  EXPECT_EQ(sink_.records[2].verdict, Verdict::kGo);
  EXPECT_EQ(sink_.records[3].reason, Reason::kOverload);
  EXPECT_EQ(sink_.records[9].reason, Reason::kOverload);
  EXPECT_TRUE(output_.states.back().stop);
}

TEST_F(StrokeLoopTest, AWallClockThatJumpsChangesNoVerdict) {
  for (uint64_t cycle = 1; cycle <= 5; ++cycle) play(window(0.2F), cycle);
  clock_.jump_wall_ns(-3'600'000 * kMs);
  run();
  for (const StrokeRecord& record : sink_.records) {
    EXPECT_EQ(record.verdict, Verdict::kGo);
    EXPECT_EQ(record.latency_ns, sink_.records[0].latency_ns);
  }
}

TEST_F(StrokeLoopTest, AStrokeInTheMiddleOfAStopIsARestart) {
  source_.add({.planar = {0.5F, 0.1F}, .events = {{.sample = 0, .cycle = 1}}, .passes_ns = 2 * kMs});
  source_.stop_at_end();
  run();
  ASSERT_EQ(sink_.records.size(), 1U);
  EXPECT_EQ(sink_.records[0].reason, Reason::kRestart);
}

TEST_F(StrokeLoopTest, TheOutputIsToldWhichCycleItAnswers) {
  play(window(0.2F), 41);
  run();
  EXPECT_EQ(output_.states.back().plc_cycle, 41U);
}

TEST_F(StrokeLoopTest, TheOutputHearsOfATriggerBeforeItsVerdictAndWhyThereIsNone) {
  play(window(0.2F), 1);
  play(window(NAN), 2);
  run();
  ASSERT_EQ(output_.states.size(), 3U);
  EXPECT_EQ(output_.states[0].reason, Reason::kStarting);
  EXPECT_EQ(output_.states[1].verdict, Verdict::kGo);
  EXPECT_GT(output_.states[1].score, 0.0);
  EXPECT_EQ(output_.states[2].reason, Reason::kSensorFault);
  EXPECT_EQ(output_.states[2].sensor_fault, signal::SensorFault::kNotFinite);
  EXPECT_TRUE(std::isnan(output_.states[2].score));
  EXPECT_EQ(output_.opened_before_states, (std::vector<std::pair<uint64_t, size_t>>{{1, 1}, {2, 2}}));
}

TEST_F(StrokeLoopTest, ThePlcAcknowledgesTheAlarm) {
  options_.alarm = {.raise_n = 1, .raise_m = 1, .latch = true};
  play(window(5.0F), 1);
  run();
  EXPECT_EQ(counters_.alarm_state.load(), AlarmState::kUnacknowledged);
  output_.alarm_ack = true;
  source_.add({.planar = std::vector<float>(kFakeLength, 0.0F), .passes_ns = 200 * kMs});
  loop_->run();
  EXPECT_EQ(counters_.alarm_state.load(), AlarmState::kAcknowledged);
}

TEST_F(StrokeLoopTest, AnAlarmThatIsShelvedOrComesBackIsToldWithoutAStroke) {
  options_.alarm = {.raise_n = 1, .raise_m = 1, .latch = true};
  options_.policy.stop_on_alarm = true;
  play(window(5.0F), 1);
  run();
  const size_t driven = output_.states.size();
  EXPECT_TRUE(output_.states.back().stop);
  const auto quiet = [this] {
    source_.add({.planar = std::vector<float>(kFakeLength, 0.0F), .passes_ns = 200 * kMs});
    loop_->run();
  };
  loop_->shelve_ns(3'600'000 * kMs);
  quiet();
  EXPECT_EQ(output_.stood, (std::vector<std::pair<bool, bool>>{{false, false}}));
  loop_->shelve_ns(0);
  quiet();
  EXPECT_EQ(output_.stood, (std::vector<std::pair<bool, bool>>{{false, false}, {true, true}}));
  EXPECT_EQ(counters_.alarm_state.load(), AlarmState::kUnacknowledged);
  EXPECT_EQ(output_.states.size(), driven) << "no new verdict";
}

TEST_F(StrokeLoopTest, TheOutputHoldsStopsOrPassesByPolicy) {
  for (const FailSafe policy : {FailSafe::kHold, FailSafe::kStop, FailSafe::kPass}) {
    for (const bool before : {false, true}) {
      const bool stop = decide_stop({.on_no_verdict = policy}, Verdict::kNoVerdict, false, before);
      EXPECT_EQ(stop, policy == FailSafe::kStop || (policy == FailSafe::kHold && before));
    }
  }
  EXPECT_TRUE(decide_stop({.stop_on_alarm = true}, Verdict::kGo, true, false));
  EXPECT_FALSE(decide_stop({.stop_on_alarm = true}, Verdict::kNoGo, false, true));
  EXPECT_TRUE(decide_stop({.stop_on_alarm = false}, Verdict::kNoGo, false, false));
}

TEST_F(StrokeLoopTest, TheHeartbeatGoesOnWithoutStrokes) {
  source_.add({.passes_ns = 1000 * kMs});
  play(window(0.2F), 1);
  run();
  EXPECT_GE(output_.beats, 10U);
}

TEST_F(StrokeLoopTest, AnotherJudgeTakesOverBetweenStrokes) {
  // The first stroke is judged by the first judge; the second is offered while the first is judged.
  play(window(0.2F), 1);
  play(window(0.2F), 2);
  auto offering = window(0.2F);
  offering[kFakeMs] = 1.0F;
  play(offering, 3);
  play(window(0.2F), 4);
  auto cutter = signal::WindowCutter::create(signal::ExternalTrigger{}, 1, kFakeLength, kRate);
  auto ledger = Ledger::open({.path = folder_.path() / "ledger", .slots = 64, .boot_id = "b"});
  RecordWriter writer(*ledger, sink_, lines_, 0);
  StrokeLoop loop({source_, *cutter, clock_, *ledger, writer, output_, counters_}, options_);
  loop.offer(std::make_unique<FakeJudge>(
      1, kFakeLength, [&](float) { loop.offer(std::make_unique<FakeJudge>(1, kFakeLength, nullptr, 9)); }));
  loop.run();
  ASSERT_TRUE(writer.finish(0));
  EXPECT_EQ(sink_.records[2].model.bytes[0], 1);
  EXPECT_EQ(sink_.records[3].model.bytes[0], 9);
  EXPECT_EQ(sink_.records[3].stroke_id, 4U);
  EXPECT_NE(loop.retired(), nullptr);
}

TEST_F(StrokeLoopTest, NothingIsAllocatedOnceItIsWarm) {
#ifdef MILLWRIGHT_SANITIZED
  GTEST_SKIP() << "a sanitizer owns operator new";
#endif
  constexpr uint64_t kStrokes = 300;
  slots_ = 1024;
  for (uint64_t cycle = 1; cycle <= kStrokes; ++cycle) {
    auto samples = window(cycle % 7 == 0 ? 5.0F : 0.2F);
    if (cycle == 2) samples[kFakeMs] = 1.0F;  // the second stroke's judge begins the count
    if (cycle % 11 == 0) samples[5] = std::numeric_limits<float>::infinity();
    if (cycle % 13 == 0) samples[kFakeNan] = 1.0F;
    play(samples, cycle % 17 == 0 ? cycle + 1 : cycle);
  }
  auto cutter = signal::WindowCutter::create(signal::ExternalTrigger{}, 1, kFakeLength, kRate);
  auto ledger = Ledger::open({.path = folder_.path() / "ledger", .slots = slots_, .boot_id = "b"});
  RecordWriter writer(*ledger, sink_, lines_, 0);
  StrokeLoop loop({source_, *cutter, clock_, *ledger, writer, output_, counters_}, options_);
  loop.offer(std::make_unique<FakeJudge>(1, kFakeLength, [](float) { counting = true; }));
  loop.run();
  counting = false;
  EXPECT_EQ(allocations, 0U);
  ASSERT_TRUE(writer.finish(0));
  EXPECT_GE(sink_.records.size(), kStrokes);
}

}  // namespace
}  // namespace millwright::edge
