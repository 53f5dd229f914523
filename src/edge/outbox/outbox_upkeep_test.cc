// SPDX-License-Identifier: Apache-2.0
// What the store does beside storing: checkpoints, and an asset that is counted anew.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"
#include "edge/outbox/outbox.h"
#include "edge/outbox/small_outbox_fixture.h"

namespace millwright::edge {
namespace {

using outbox::FakeDisk;

TEST(OutboxUpkeep, WhatWasAcknowledgedStaysAwayWhereKillsComeSoonerThanTheMinute) {
  FakeDisk disk;
  FakeClock clock;
  OutboxOptions options = small(disk);
  options.checkpoint_every_acknowledged = 3;
  // Never told to end: its destructor would make a checkpoint of its own.
  auto* const killed = new Outbox(options, clock);
  ASSERT_TRUE(killed->open());
  for (uint64_t stroke = 1; stroke <= 5; ++stroke) append(*killed, Stream::kScores, stroke);
  const auto messages = *killed->read(Stream::kScores, 0, 4);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(acknowledge(*killed, messages[i]), 1U);
  ASSERT_TRUE(killed->tick());
  EXPECT_EQ(acknowledge(*killed, messages[3]), 1U);
  ASSERT_TRUE(killed->tick());
  Outbox outbox(options, clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(strokes(outbox, Stream::kScores), (std::vector<uint64_t>{4, 5}));
  disk.dead = true;  // what the killed one still wants to say
  delete killed;
  disk.dead = false;
}

// A card that takes seconds for a sync.
class SlowSync final : public outbox::BlockFile {
 public:
  struct Gate {
    std::atomic<bool> closed{false};
    std::atomic<bool> waiting{false};
  };
  SlowSync(std::unique_ptr<BlockFile> file, Gate& gate) : file_(std::move(file)), gate_(gate) {}
  [[nodiscard]] uint64_t size() const override { return file_->size(); }
  Status read(uint64_t offset, std::span<std::byte> bytes) override { return file_->read(offset, bytes); }
  Status write(uint64_t offset, std::span<const std::byte> bytes) override { return file_->write(offset, bytes); }
  Status sync() override {
    gate_.waiting = gate_.closed.load();
    gate_.waiting.notify_all();
    gate_.closed.wait(true);
    return file_->sync();
  }
  Status allocate(uint64_t bytes) override { return file_->allocate(bytes); }
  Status set_aside() override { return file_->set_aside(); }

 private:
  std::unique_ptr<BlockFile> file_;
  Gate& gate_;
};

TEST(OutboxUpkeep, AcknowledgementsAndFiguresDoNotWaitForACheckpointsSync) {
  FakeDisk disk;
  FakeClock clock;
  SlowSync::Gate gate;
  OutboxOptions options = small(disk);
  options.checkpoint_every_ns = 0;
  options.open_file = [&]() -> Result<std::unique_ptr<outbox::BlockFile>> {
    return std::make_unique<SlowSync>(MW_TRY(disk.opener()()), gate);
  };
  Outbox outbox(options, clock);
  ASSERT_TRUE(outbox.open());
  append(outbox, Stream::kScores, 1);
  append(outbox, Stream::kScores, 2);
  const auto messages = *outbox.read(Stream::kScores, 0, 2);
  gate.closed = true;
  std::thread upkeep([&] { EXPECT_TRUE(outbox.tick()); });
  gate.waiting.wait(false);
  EXPECT_EQ(acknowledge(outbox, messages[0]), 1U);
  EXPECT_EQ(outbox.figures().streams[static_cast<size_t>(Stream::kScores)].messages, 1U);
  EXPECT_EQ(strokes(outbox, Stream::kScores), std::vector<uint64_t>{2});
  gate.closed = false;
  gate.closed.notify_all();
  upkeep.join();
}

TEST(OutboxUpkeep, CountsAnAssetsStrokesAnewAndKeepsWhatWaits) {
  FakeDisk disk;
  FakeClock clock;
  {
    Outbox outbox(small(disk), clock);
    ASSERT_TRUE(outbox.open());
    append(outbox, Stream::kScores, 900);
    ASSERT_TRUE(outbox.count_anew("press-1"));
    EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kScores), 0U);
    append(outbox, Stream::kScores, 1);
    append(outbox, Stream::kScores, 2);
  }
  Outbox outbox(small(disk), clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_EQ(outbox.highest_stroke("press-1", Stream::kScores), 2U);
  EXPECT_EQ(strokes(outbox, Stream::kScores), (std::vector<uint64_t>{900, 1, 2}));
}

}  // namespace
}  // namespace millwright::edge
