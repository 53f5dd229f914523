// SPDX-License-Identifier: Apache-2.0
// Strokes that begin while the window of the one before is still waiting for samples.
#include <filesystem>

#include <gtest/gtest.h>

#include "edge/stroke_loop_fixture.h"

namespace millwright::edge {
namespace {

using model::Reason;
using model::Verdict;

// Two strokes whose windows overlap, of a machine that counts none: [0, 8) and [2, 10).
void play_overlapping(FakeSource& source) {
  std::vector<float> rest(8, 0.3F);
  rest[0] = 2.0F;  // the first window's kFakeMs, and nothing to the second
  rest[2] = 0.0F;  // the second's
  source.add({.planar = {0.5F, 0.2F, 0.0F, 0.1F},
              .events = {{.sample = 0, .cycle = {}}, {.sample = 2, .cycle = {}}},
              .passes_ns = 4 * kMs});
  source.add({.planar = rest, .passes_ns = 8 * kMs});
}

TEST_F(StrokeLoopTest, StrokesThatOverlapHaveOneRecordEachInTheirOrder) {
  play_overlapping(source_);
  run();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].stroke_id, 1U);
  EXPECT_EQ(sink_.records[0].verdict, Verdict::kGo);
  EXPECT_EQ(sink_.records[1].stroke_id, 2U);
  EXPECT_EQ(sink_.records[1].verdict, Verdict::kGo);
  EXPECT_EQ(sink_.records[0].latency_ns, (11 + 2) * kMs);
  EXPECT_EQ(sink_.records[1].latency_ns, (9 + 2) * kMs) << "from its own trigger, 2 ms later";
}

TEST_F(StrokeLoopTest, AKillWhileStrokesOverlapLeavesATraceOfEach) {
  play_overlapping(source_);
  const auto killed = folder_.path() / "as_it_was_at_the_kill";
  auto cutter = signal::WindowCutter::create(signal::ExternalTrigger{}, 1, kFakeLength, kRate);
  auto ledger = Ledger::open({.path = folder_.path() / "ledger", .slots = 64, .boot_id = "b"});
  RecordWriter writer(*ledger, sink_, lines_, 0);
  StrokeLoop loop({source_, *cutter, clock_, *ledger, writer, output_, counters_}, options_);
  loop.offer(std::make_unique<FakeJudge>(
      1, kFakeLength, [&](float) { std::filesystem::copy_file(folder_.path() / "ledger", killed); }));
  loop.run();
  auto after = Ledger::open({.path = killed, .slots = 64, .boot_id = "b"});
  ASSERT_TRUE(after);
  EXPECT_EQ(after->recovery().restarted, 2U);
  EXPECT_EQ(after->next_id(), 3U);
}

TEST_F(StrokeLoopTest, MoreOverlapThanTheLedgerBearsIsNoOverload) {
  slots_ = 16;
  constexpr size_t kStrokes = 7;
  FakeSource::Step step{.planar = std::vector<float>(kFakeLength, 0.2F), .passes_ns = kFakeLength * kMs};
  for (size_t i = 1; i <= kStrokes; ++i) step.events.push_back({.sample = i, .cycle = {}});
  source_.add(std::move(step));
  source_.add({.planar = {0.1F, 0.2F, 0.3F, 0.1F, 0.2F, 0.3F, 0.1F, 0.2F}, .passes_ns = 200 * kMs});
  run();
  ASSERT_EQ(sink_.records.size(), kStrokes);
  for (size_t i = 0; i < kStrokes; ++i) {
    EXPECT_EQ(sink_.records[i].stroke_id, i + 1);
    EXPECT_EQ(sink_.records[i].reason, Reason::kDeadline);
    EXPECT_LE(sink_.records[i].latency_ns, 101 * kMs) << "the deadline itself wakes the loop";
  }
}

}  // namespace
}  // namespace millwright::edge
