// SPDX-License-Identifier: Apache-2.0
#include "edge/ledger.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/random.h"
#include "edge/fake_records.h"
#include "edge/record_writer.h"

namespace millwright::edge {
namespace {

using model::Reason;
using model::StrokeRecord;
using model::Verdict;

// A ledger with its writer, as often opened and dropped (killed) as a test likes.
class LedgerTest : public testing::Test {
 protected:
  void open(const std::string& boot = "boot-1", size_t slots = 8) {
    writer_.reset();
    ledger_.reset();
    LedgerOptions options{.path = folder_.path() / "ledger", .slots = slots, .boot_id = boot};
    if (!sink_.records.empty()) {
      options.journal_last_id = sink_.records.back().stroke_id;
      options.journal_last_cycle = sink_.records.back().plc_cycle;
    }
    auto ledger = Ledger::open(options);
    ASSERT_TRUE(ledger) << ledger.error().message;
    ledger_ = std::make_unique<Ledger>(std::move(*ledger));
    writer_ = std::make_unique<RecordWriter>(*ledger_, sink_, lines_, options.journal_last_id);
  }

  // A stroke from trigger to verdict; false where it was counted as overload.
  bool stroke(uint64_t cycle = 0, Verdict verdict = Verdict::kGo) {
    const auto opened = ledger_->open_stroke({.plc_cycle = cycle, .wall_ns = 1, .monotonic_ns = 1});
    if (!opened.kept) return false;
    StrokeRecord record;
    record.stroke_id = opened.stroke_id;
    record.plc_cycle = cycle;
    record.verdict = verdict;
    ledger_->decide(opened, record);
    return true;
  }

  void drain() {
    while (true) {
      const auto lines = writer_->drain();
      ASSERT_TRUE(lines);
      if (ledger_->backlog() == 0 || *lines == 0) return;
    }
  }

  void expect_contiguous(uint64_t last) {
    ASSERT_EQ(sink_.records.size(), last);
    for (uint64_t i = 0; i < last; ++i) EXPECT_EQ(sink_.records[i].stroke_id, i + 1);
  }

  TemporaryFolder folder_;
  FakeSink sink_;
  RecordLines lines_{model::RecordContext{}};
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<RecordWriter> writer_;
};

TEST_F(LedgerTest, NumbersStrokesFromOneAndWritesEachOnce) {
  open();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(stroke());
  drain();
  expect_contiguous(5);
  EXPECT_EQ(ledger_->backlog(), 0U);
}

TEST_F(LedgerTest, WhatFitsIntoNoRunIsCountedAndStopsNobody) {
  open();
  constexpr uint64_t kFull = (1ULL << 31) - 2;
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(stroke());
  ledger_->add_run(Reason::kOverload, {}, kFull);
  EXPECT_EQ(ledger_->lost(), 0U);
  EXPECT_FALSE(stroke());
  ledger_->add_run(Reason::kMissed, {.plc_cycle = 5}, 4);
  EXPECT_EQ(ledger_->lost(), 5U);
  EXPECT_EQ(ledger_->last_cycle(), 8U);
  EXPECT_EQ(ledger_->next_id(), 7 + kFull + 5 + 1);
}

TEST_F(LedgerTest, AnOpenedStrokeIsNotWrittenBeforeItsVerdict) {
  open();
  (void)ledger_->open_stroke({});
  drain();
  EXPECT_TRUE(sink_.records.empty());
}

TEST_F(LedgerTest, AStrokeOpenedBeforeAKillBecomesARestart) {
  open();
  stroke(7);
  (void)ledger_->open_stroke({.plc_cycle = 8, .wall_ns = 5, .monotonic_ns = 6});
  open();
  EXPECT_EQ(ledger_->recovery().restarted, 1U);
  EXPECT_EQ(ledger_->recovery().undrained, 1U);
  EXPECT_EQ(ledger_->recovery().strokes, 2U);
  EXPECT_EQ(ledger_->last_cycle(), 8U);
  stroke(9);
  drain();
  expect_contiguous(3);
  EXPECT_EQ(sink_.records[0].verdict, Verdict::kGo);
  EXPECT_EQ(sink_.records[1].reason, Reason::kRestart);
  EXPECT_EQ(sink_.records[1].plc_cycle, 8U);
}

TEST_F(LedgerTest, WhatTheJournalHasAlreadyIsNotWrittenAgain) {
  open();
  for (int i = 0; i < 3; ++i) stroke();
  // Killed after the journal had the lines, before the slots were given back.
  for (uint64_t i = 0; i < 2; ++i) {
    StrokeRecord record;
    record.stroke_id = i + 1;
    sink_.records.push_back(record);
  }
  open();
  EXPECT_EQ(ledger_->recovery().strokes, 1U);
  drain();
  expect_contiguous(3);
}

TEST_F(LedgerTest, AFullRingCountsOverloadAndNeverLosesAnId) {
  open("boot-1", 4);
  uint64_t cycle = 100;
  int kept = 0;
  for (int i = 0; i < 50; ++i) kept += stroke(cycle++) ? 1 : 0;
  EXPECT_EQ(kept, 3);
  drain();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(stroke(cycle++));
  drain();
  expect_contiguous(52);
  for (uint64_t i = 0; i < 52; ++i) EXPECT_EQ(sink_.records[i].plc_cycle, 100 + i);
  EXPECT_EQ(sink_.records[3].reason, Reason::kOverload);
  EXPECT_EQ(sink_.records[49].reason, Reason::kOverload);
  EXPECT_EQ(sink_.records[50].verdict, Verdict::kGo);
}

TEST_F(LedgerTest, AnOverloadRunSurvivesAKill) {
  open("boot-1", 4);
  for (uint64_t cycle = 1; cycle <= 20; ++cycle) stroke(cycle);
  open("boot-1", 4);
  EXPECT_EQ(ledger_->recovery().strokes, 20U);
  EXPECT_EQ(ledger_->last_cycle(), 20U);
  EXPECT_EQ(ledger_->next_id(), 21U);
  drain();
  expect_contiguous(20);
}

TEST_F(LedgerTest, ACycleThatJumpsInsideAnOverloadRunIsNotInvented) {
  open("boot-1", 4);
  for (uint64_t cycle = 1; cycle <= 6; ++cycle) stroke(cycle);
  stroke(1);
  stroke(2);
  drain();
  expect_contiguous(8);
  EXPECT_EQ(sink_.records[5].plc_cycle, 6U);
  EXPECT_EQ(sink_.records[6].plc_cycle, 0U);
  EXPECT_EQ(sink_.records[7].plc_cycle, 0U);
}

TEST_F(LedgerTest, AMissedRunIsOneRecordPerCycle) {
  open();
  stroke(10);
  ledger_->add_run(Reason::kMissed, {.plc_cycle = 11}, 30);
  stroke(41);
  drain();
  expect_contiguous(32);
  EXPECT_EQ(sink_.records[1].plc_cycle, 11U);
  EXPECT_EQ(sink_.records[30].plc_cycle, 40U);
  EXPECT_EQ(sink_.records[30].reason, Reason::kMissed);
  EXPECT_EQ(sink_.records[31].plc_cycle, 41U);
}

TEST_F(LedgerTest, ASinkThatFailsLosesAndDoublesNothing) {
  open();
  sink_.failing = true;
  for (int i = 0; i < 4; ++i) stroke();
  EXPECT_FALSE(writer_->drain());
  EXPECT_EQ(writer_->failures(), 1U);
  sink_.failing = false;
  drain();
  expect_contiguous(4);
}

TEST_F(LedgerTest, AfterAPowerCutNoIdIsUsedTwice) {
  open("boot-1");
  for (int i = 0; i < 3; ++i) stroke();
  drain();
  // The page with the last strokes never reached the disk: neither ledger nor journal know of stroke 3.
  sink_.records.pop_back();
  open("boot-2");
  EXPECT_GT(ledger_->recovery().ids_skipped, 0U);
  EXPECT_GT(ledger_->next_id(), 3U);
}

TEST_F(LedgerTest, TheLastCycleIsKnownAfterAStrokeWithoutOne) {
  open();
  stroke(7);
  stroke(0);
  drain();
  open();
  EXPECT_EQ(ledger_->last_cycle(), 7U);
}

TEST_F(LedgerTest, TheLastCycleIsKnownAfterAnOverloadRunThatDidNotCountOn) {
  open("boot-1", 4);
  for (uint64_t cycle = 1; cycle <= 5; ++cycle) stroke(cycle);
  stroke(20);
  open("boot-1", 4);
  EXPECT_EQ(ledger_->last_cycle(), 20U);
}

TEST_F(LedgerTest, TheAlarmSurvivesAKill) {
  open();
  EXPECT_EQ(ledger_->alarm().state, 0U);
  ledger_->keep_alarm({.state = 3, .recent = 0x15});
  open();
  EXPECT_EQ(ledger_->alarm().state, 3U);
  EXPECT_EQ(ledger_->alarm().recent, 0x15U);
}

TEST_F(LedgerTest, AnOrderlyStopSkipsNoIds) {
  open("boot-1");
  for (int i = 0; i < 3; ++i) stroke();
  ASSERT_TRUE(writer_->finish(0));
  open("boot-2");
  EXPECT_EQ(ledger_->recovery().ids_skipped, 0U);
  EXPECT_EQ(ledger_->next_id(), 4U);
}

TEST_F(LedgerTest, AnotherNumberOfSlotsLosesNeitherStrokesNorIdsNorTheAlarm) {
  open("boot-1", 8);
  for (int i = 0; i < 3; ++i) stroke();
  ledger_->keep_alarm({.state = 2, .recent = 0x15});
  open("boot-1", 16);  // killed before anything was written
  EXPECT_TRUE(ledger_->recovery().moved_aside.empty());
  EXPECT_EQ(ledger_->recovery().kept_slots, 8U);
  EXPECT_EQ(ledger_->slots(), 8U);
  EXPECT_EQ(ledger_->recovery().undrained, 3U);
  EXPECT_EQ(ledger_->next_id(), 4U);
  EXPECT_EQ(ledger_->alarm().recent, 0x15U);
}

TEST_F(LedgerTest, AnUnreadableLedgerIsMovedAside) {
  open();
  for (int i = 0; i < 3; ++i) stroke();
  drain();
  writer_.reset();
  ledger_.reset();
  std::fstream file(folder_.path() / "ledger", std::ios::in | std::ios::out | std::ios::binary);
  file.write("garbage", 7);
  file.close();
  open();
  EXPECT_FALSE(ledger_->recovery().moved_aside.empty());
  EXPECT_TRUE(std::filesystem::exists(ledger_->recovery().moved_aside));
  EXPECT_GT(ledger_->next_id(), 3U);
  stroke();
  drain();
  EXPECT_GT(sink_.records.back().stroke_id, 3U);
}

TEST_F(LedgerTest, ADamagedSlotIsCountedAndPassedOver) {
  open();
  for (int i = 0; i < 3; ++i) stroke();
  writer_.reset();
  ledger_.reset();
  const auto path = folder_.path() / "ledger";
  const auto slot = (std::filesystem::file_size(path) - 4096) / 8;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(4096 + slot + slot / 2));
  file.write("XXXX", 4);
  file.close();
  open();
  EXPECT_EQ(ledger_->recovery().damaged_slots, 1U);
  drain();
  ASSERT_EQ(sink_.records.size(), 2U);
  EXPECT_EQ(sink_.records[0].stroke_id, 1U);
  EXPECT_EQ(sink_.records[1].stroke_id, 3U);
}

// Any bytes in the file: opening ends with an error or a ledger that works; ids still grow.
TEST_F(LedgerTest, RandomDamageNeverStopsTheStart) {
  Random random(7);
  for (int trial = 0; trial < 60; ++trial) {
    open("boot-1", 4);
    stroke(1);
    writer_.reset();
    ledger_.reset();
    std::fstream file(folder_.path() / "ledger", std::ios::in | std::ios::out | std::ios::binary);
    const auto size = std::filesystem::file_size(folder_.path() / "ledger");
    for (int i = 0; i < 8; ++i) {
      file.seekp(static_cast<std::streamoff>(random.below(2) == 0 ? random.below(160) : random.below(size)));
      file.put(static_cast<char>(random.bits()));
    }
    file.close();
    open("boot-1", 4);
    ASSERT_NE(ledger_, nullptr);
    stroke(2);
    writer_.reset();
    ledger_.reset();
    sink_.records.clear();
    std::filesystem::remove_all(folder_.path() / "ledger");
    std::filesystem::remove_all(folder_.path() / "ledger.unreadable");
  }
}

// Strokes, drains, failures and kills in any order, against a plain count.
TEST_F(LedgerTest, AnyOrderOfEventsKeepsOneRecordPerStroke) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    std::filesystem::remove(folder_.path() / "ledger");
    sink_.records.clear();
    Random random(seed);
    open("boot-1", 4 + seed % 3);
    uint64_t triggered = 0;
    uint64_t cycle = 0;
    for (int i = 0; i < 2000; ++i) {
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
        case 3:
          stroke(++cycle);
          ++triggered;
          break;
        case 4: {
          const uint64_t count = 1 + random.below(5);
          ledger_->add_run(Reason::kMissed, {.plc_cycle = cycle + 1}, count);
          cycle += count;
          triggered += count;
          break;
        }
        case 5: (void)writer_->drain(); break;
        case 6: sink_.failing = random.below(4) == 0; break;
        default:
          if (random.below(10) == 0) {
            if (random.below(2) == 0) {
              (void)ledger_->open_stroke({.plc_cycle = ++cycle});
              ++triggered;
            }
            open("boot-1", 4 + seed % 3);
          }
      }
    }
    sink_.failing = false;
    drain();
    expect_contiguous(triggered);
    for (const auto& record : sink_.records) EXPECT_EQ(record.plc_cycle, record.stroke_id);
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace millwright::edge
