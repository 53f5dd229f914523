// SPDX-License-Identifier: Apache-2.0
#include "edge/record_writer.h"

#include <atomic>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

#include "edge/fake_records.h"
#include "edge/journal.h"
#include "edge/ledger.h"
#include "edge/record_lines.h"

namespace millwright::edge {
namespace {

// All three threads of an asset at once. What they may not share, the thread sanitizer finds here; without it the test
// still counts the records.
TEST(RecordWriter, WritesOneRecordPerStrokeWhileItsFiguresAreRead) {
  constexpr uint64_t kStrokes = 1000;
  constexpr uint64_t kAll = kStrokes + kStrokes / 100 * 3;
  constexpr size_t kSlots = 64;
  const TemporaryFolder folder;
  auto ledger = Ledger::open({.path = folder.path() / "ledger", .slots = kSlots, .boot_id = "b"});
  ASSERT_TRUE(ledger);
  auto journal = Journal::open(folder.path() / "records", {.max_file_bytes = 4096, .max_files = 2});
  ASSERT_TRUE(journal);
  RecordLines lines({.channel_names = {"ch0"}});
  uint64_t heard = 0;
  uint64_t out_of_order = 0;
  RecordWriter writer(*ledger, *journal, lines, 0, [&](const model::StrokeRecord& record) {
    if (record.stroke_id != ++heard) ++out_of_order;
  });
  writer.start();
  std::atomic<bool> done{false};
  std::thread strokes([&] {
    for (uint64_t cycle = 1; cycle <= kStrokes; ++cycle) {
      while (ledger->backlog() > kSlots / 2) std::this_thread::yield();  // or one run of overload holds them all
      const auto opened = ledger->open_stroke({.plc_cycle = cycle});
      model::StrokeRecord record;
      record.stroke_id = opened.stroke_id;
      record.plc_cycle = cycle;
      if (opened.kept) ledger->decide(opened, record);
      if (cycle % 100 == 0) ledger->add_run(model::Reason::kMissed, {}, 3);
      writer.wake();
    }
    done = true;
  });
  while (!done) {
    EXPECT_LE(ledger->backlog(), kAll);
    EXPECT_LE(ledger->next_id(), kAll + 1);
    EXPECT_LE(writer.written(), kAll);
    EXPECT_EQ(writer.failures(), 0U);
    EXPECT_LE(journal->files_removed(), kAll);
    EXPECT_EQ(writer.last_error(), "");
    lines.add_model(sha256("model"), {"rms"});
  }
  strokes.join();
  ASSERT_TRUE(writer.finish(10'000));
  EXPECT_EQ(heard, kAll);
  EXPECT_EQ(ledger->next_id(), kAll + 1);
  EXPECT_EQ(out_of_order, 0U);
}

}  // namespace
}  // namespace millwright::edge
