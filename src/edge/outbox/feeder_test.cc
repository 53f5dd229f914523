// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/feeder.h"

#include <gtest/gtest.h>

#include "edge/fake_records.h"
#include "edge/journal.h"
#include "edge/outbox/fake_block_file.h"

namespace millwright::edge {
namespace {

std::string line(const model::StrokeRecord& record) { return model::to_json_line(record, {}) + "\n"; }
model::StrokeRecord go(uint64_t id) {
  model::StrokeRecord record;
  record.stroke_id = id;
  record.verdict = model::Verdict::kGo;
  return record;
}

class FeederTest : public testing::Test {
 protected:
  FeederTest()
      : journal_(
            std::make_unique<Journal>(*Journal::open(folder_.path(), {.max_file_bytes = 8 << 10, .max_files = 100}))) {
    options_.open_file = disk_.opener();
    for (StreamOptions& stream : options_.streams) stream.bytes = 1 << 20;
    outbox_ = std::make_unique<Outbox>(options_, clock_);
  }
  void write(const model::StrokeRecord& record) {
    ASSERT_TRUE(journal_->append(line(record), record.stroke_id));
    last_ = record.stroke_id;
  }
  std::unique_ptr<Feeder> feeder() {
    return std::make_unique<Feeder>(
        *outbox_, std::vector<FeedSource>{{.asset = "press", .records = folder_.path(), .durable_id = last_}}, clock_);
  }
  void restart() {
    outbox_.reset();
    outbox_ = std::make_unique<Outbox>(options_, clock_);
  }
  std::vector<uint64_t> strokes(Stream stream) {
    std::vector<uint64_t> found;
    const auto messages = outbox_->read(stream, 0, 100'000);
    EXPECT_TRUE(messages) << messages.error().message;
    if (!messages) return found;
    for (const StoredMessage& one : *messages) found.push_back(one.stroke_id);
    return found;
  }
  static std::vector<uint64_t> up_to(uint64_t last) {
    std::vector<uint64_t> ids;
    for (uint64_t id = 1; id <= last; ++id) ids.push_back(id);
    return ids;
  }
  static void drain(Feeder& feeder) {
    while (true) {
      const auto fed = feeder.feed();
      ASSERT_TRUE(fed) << fed.error().message;
      if (*fed == 0) return;
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<Journal> journal_;
  outbox::FakeDisk disk_;
  FakeClock clock_;
  OutboxOptions options_;
  std::unique_ptr<Outbox> outbox_;
  uint64_t last_ = 0;
};

TEST_F(FeederTest, FeedsEveryRecordOnceOverRestartsAndFiles) {
  for (uint64_t id = 1; id <= 100; ++id) write(go(id));
  drain(*feeder());
  restart();
  for (uint64_t id = 101; id <= 150; ++id) write(go(id));
  const auto second = feeder();
  drain(*second);
  EXPECT_EQ(strokes(Stream::kScores), up_to(150));
  EXPECT_EQ(second->figures().scores, 50U);
  EXPECT_EQ(second->figures().missing, 0U);
}

TEST_F(FeederTest, FeedsOnlyWhatIsDurable) {
  write(go(1));
  const auto one = feeder();
  write(go(2));
  drain(*one);
  EXPECT_EQ(strokes(Stream::kScores), up_to(1));
  one->note(0, 2);
  drain(*one);
  EXPECT_EQ(strokes(Stream::kScores), up_to(2));
}

TEST_F(FeederTest, AnAlertIsAScoreAboveTheThresholdOrAChange) {
  auto record = go(1);
  write(record);
  record = go(2);
  record.is_alert = true;
  write(record);
  record = go(3);
  record.alarm_active = true;
  write(record);
  record.stroke_id = 4;
  write(record);
  write(go(5));
  record = go(6);
  record.verdict = model::Verdict::kNoVerdict;
  record.reason = model::Reason::kSensorFault;
  record.sensor_fault = signal::SensorFault::kLoose;
  write(record);
  drain(*feeder());
  // The state is known over a restart.
  restart();
  record.stroke_id = 7;
  write(record);
  record = go(8);
  record.verdict = model::Verdict::kNoVerdict;
  record.reason = model::Reason::kDeadline;
  write(record);
  write(go(9));
  drain(*feeder());
  EXPECT_EQ(strokes(Stream::kAlerts), (std::vector<uint64_t>{2, 3, 5, 6, 9}));
  EXPECT_EQ(strokes(Stream::kScores), up_to(9));
}

// The last that was fed may be a stroke without a verdict, as after a kill: what the sensor was stands before it.
TEST_F(FeederTest, AFaultIsKnownOverARestartWhateverTheLastStrokeSaid) {
  auto fault = go(1);
  fault.verdict = model::Verdict::kNoVerdict;
  fault.reason = model::Reason::kSensorFault;
  fault.sensor_fault = signal::SensorFault::kLoose;
  write(fault);
  auto silent = go(2);
  silent.verdict = model::Verdict::kNoVerdict;
  silent.reason = model::Reason::kRestart;
  for (; silent.stroke_id < 300; ++silent.stroke_id) write(silent);
  drain(*feeder());
  restart();
  fault.stroke_id = 300;
  write(fault);
  write(go(301));
  drain(*feeder());
  EXPECT_EQ(strokes(Stream::kAlerts), (std::vector<uint64_t>{1, 301}));
  EXPECT_EQ(strokes(Stream::kScores), up_to(301));
}

TEST_F(FeederTest, CatchesUpWhenTheOutboxIsBack) {
  disk_.full = true;
  for (uint64_t id = 1; id <= 20; ++id) write(go(id));
  const auto one = feeder();
  EXPECT_FALSE(one->feed());
  EXPECT_FALSE(one->figures().last_error.empty());
  disk_.full = false;
  drain(*one);
  EXPECT_EQ(strokes(Stream::kScores), up_to(20));
  write(go(21));
  one->note(0, 21);
  disk_.fail_at = disk_.operations + 1;
  EXPECT_FALSE(one->feed());
  EXPECT_FALSE(outbox_->is_open());
  drain(*one);
  EXPECT_EQ(strokes(Stream::kScores), up_to(21));
}

TEST_F(FeederTest, AJournalThatCannotBeReadPausesItsOwnAssetAlone) {
  TemporaryFolder other;
  const auto broken = other.path() / "records-00000000000000000001.jsonl";
  std::filesystem::create_directory(broken);
  write(go(1));
  Feeder both(*outbox_,
              {{.asset = "broken", .records = other.path(), .durable_id = 1},
               {.asset = "press", .records = folder_.path(), .durable_id = 1}},
              clock_);
  ASSERT_TRUE(both.feed());
  EXPECT_NE(both.figures().last_error.find("cannot"), std::string::npos) << both.figures().last_error;
  write(go(2));
  both.note(1, 2);
  drain(both);
  EXPECT_EQ(strokes(Stream::kScores), up_to(2));
  std::filesystem::remove(broken);
  drain(both);
  EXPECT_FALSE(both.figures().last_error.empty()) << "it is paused";
  clock_.advance_ns(1'000'000'000);
  drain(both);
  EXPECT_EQ(both.figures().last_error, "");
}

TEST_F(FeederTest, StrokesThatAreCountedFromOneAgainAreFedAndNotWaitedFor) {
  for (uint64_t id = 1; id <= 20; ++id) write(go(id));
  drain(*feeder());
  restart();
  // Somebody removed the asset's folder.
  const TemporaryFolder anew;
  journal_ = std::make_unique<Journal>(*Journal::open(anew.path(), {.max_file_bytes = 8 << 10, .max_files = 100}));
  const auto second = std::make_unique<Feeder>(
      *outbox_, std::vector<FeedSource>{{.asset = "press", .records = anew.path(), .durable_id = 0}}, clock_);
  drain(*second);
  for (uint64_t id = 1; id <= 3; ++id) {
    write(go(id));
    second->note(0, id);
    drain(*second);
  }
  auto expected = up_to(20);
  expected.insert(expected.end(), {1, 2, 3});
  EXPECT_EQ(strokes(Stream::kScores), expected);
  // And over the next restart it goes on from there.
  restart();
  write(go(4));
  const auto third = std::make_unique<Feeder>(
      *outbox_, std::vector<FeedSource>{{.asset = "press", .records = anew.path(), .durable_id = 3}}, clock_);
  third->note(0, 4);
  drain(*third);
  expected.push_back(4);
  EXPECT_EQ(strokes(Stream::kScores), expected);
}

TEST_F(FeederTest, RunsOnItsOwnThread) {
  const auto one = feeder();
  one->start();
  for (uint64_t id = 1; id <= 50; ++id) {
    write(go(id));
    one->note(0, id);
  }
  one->finish();
  EXPECT_EQ(strokes(Stream::kScores), up_to(50));
}

}  // namespace
}  // namespace millwright::edge
