// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "edge/windows/window_export.h"
#include "edge/windows/window_keeper.h"
#include "recording/recording.h"

namespace millwright::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kLength = 256;

class WindowStoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open(uint64_t max_bytes = 1 << 20) {
    store_.reset();
    auto store = WindowStore::open({.folder = folder(),
                                    .asset_id = "press",
                                    .window = {.channels = 2, .length = kLength, .rate_hz = 1000.0},
                                    .max_bytes = max_bytes,
                                    .labels = temporary_.path() / "labels.jsonl"});
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }
  [[nodiscard]] std::filesystem::path folder() const { return temporary_.path() / "windows" / "press"; }
  static model::StrokeRecord record(uint64_t id, bool alert = false) {
    model::StrokeRecord record;
    record.stroke_id = id;
    record.trigger_wall_ns = 1'800'000'000'000'000'000;
    record.verdict = alert ? model::Verdict::kNoGo : model::Verdict::kGo;
    record.is_alert = alert;
    record.score = alert ? 0.9 : 0.1;
    return record;
  }
  static std::vector<float> samples(uint64_t id) { return std::vector<float>(2 * kLength, static_cast<float>(id)); }
  void keep(uint64_t id, KeptFor why) {
    ASSERT_TRUE(store_->keep(record(id, why == KeptFor::kAlert), samples(id), why));
  }
  [[nodiscard]] std::vector<uint64_t> ids() const {
    std::vector<uint64_t> ids;
    for (const KeptWindow& window : list_windows(folder()).value_or(std::vector<KeptWindow>())) {
      ids.push_back(window.stroke_id);
    }
    return ids;
  }

  TemporaryFolder temporary_;
  std::unique_ptr<WindowStore> store_;
};

TEST_F(WindowStoreTest, AWindowAndItsFactsAreThereAfterARestart) {
  keep(7, KeptFor::kAlert);
  open();
  EXPECT_EQ(store_->figures().windows, 1U);
  const auto listed = list_windows(folder());
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].verdict, "NO_GO");
  EXPECT_EQ((*listed)[0].score, 0.9);
  EXPECT_EQ((*listed)[0].rate_hz, 1000.0);
  const auto read = recording::read_recording(samples_file(folder(), 7));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->windows, 1U);
  EXPECT_EQ(read->channels, 2U);
  EXPECT_EQ(read->samples, samples(7));
}

TEST_F(WindowStoreTest, UnlabelledNormalsGoFirstAndLabelsStayLongest) {
  open(8 * 8192);  // 2 KiB of samples each: two blocks of the disk
  for (uint64_t id = 1; id <= 3; ++id) keep(id, KeptFor::kNormal);
  keep(4, KeptFor::kAround);
  keep(5, KeptFor::kAlert);
  for (uint64_t id = 6; id <= 8; ++id) keep(id, KeptFor::kNormal);
  ASSERT_TRUE(store_->label(1, "nuisance"));
  EXPECT_EQ(store_->figures().given_up, 0U);
  for (uint64_t id = 9; id <= 12; ++id) keep(id, KeptFor::kAlert);
  EXPECT_THAT(ids(), ElementsAre(1, 4, 5, 8, 9, 10, 11, 12));
  keep(13, KeptFor::kAlert);
  keep(14, KeptFor::kAlert);
  EXPECT_THAT(ids(), ElementsAre(1, 5, 9, 10, 11, 12, 13, 14));
  keep(15, KeptFor::kNormal);  // it would be the first to go
  EXPECT_FALSE(store_->has(15));
  EXPECT_EQ(store_->figures().given_up, 6U);
  EXPECT_LE(store_->figures().bytes, 8U * 8192);
}

TEST_F(WindowStoreTest, LabelsReachTheWindowAlsoThoseGivenWhileNobodyWasThere) {
  keep(1, KeptFor::kAlert);
  keep(2, KeptFor::kAlert);
  ASSERT_TRUE(store_->label(1, "true"));
  ASSERT_TRUE(store_->label(99, "true"));  // its window is not here: nothing to do
  store_.reset();
  std::ofstream(temporary_.path() / "labels.jsonl") << R"({"stroke_id":1,"label":"true"})" << "\n"
                                                    << R"({"stroke_id":2,"label":"true"})" << "\n"
                                                    << "torn {\n"
                                                    << R"({"stroke_id":2,"label":"nuisance"})" << "\n"
                                                    << R"({"stroke_id":77,"label":"true"})";
  open();
  const auto listed = list_windows(folder());
  ASSERT_TRUE(listed);
  EXPECT_EQ((*listed)[0].label, "true");
  EXPECT_EQ((*listed)[1].label, "nuisance");
}

TEST_F(WindowStoreTest, WhatAKillLeftHalfDoneGoesAtTheNextStart) {
  for (uint64_t id = 1; id <= 4; ++id) keep(id, KeptFor::kAlert);
  std::filesystem::remove(facts_file(folder(), 1));
  std::filesystem::resize_file(samples_file(folder(), 2), 100);
  std::ofstream(facts_file(folder(), 3)) << "{\"stroke_id\":";
  std::ofstream(samples_file(folder(), 5).string() + ".a1B2c3") << "half";
  std::ofstream(folder() / "notes.txt") << "somebody's own";
  open();
  EXPECT_THAT(ids(), ElementsAre(4));
  EXPECT_EQ(store_->figures().damaged, 3U);
  EXPECT_TRUE(std::filesystem::exists(folder() / "notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(samples_file(folder(), 1)));
  EXPECT_FALSE(std::filesystem::exists(samples_file(folder(), 5).string() + ".a1B2c3"));
}

TEST_F(WindowStoreTest, ADiskThatRefusesIsCountedAndLeavesNothing) {
  std::filesystem::remove_all(folder());
  EXPECT_FALSE(store_->keep(record(1), samples(1), KeptFor::kNormal));
  EXPECT_EQ(store_->figures().failures, 1U);
  EXPECT_THAT(store_->figures().last_error, HasSubstr("00000000000000000001"));
  std::filesystem::create_directories(folder());
  keep(2, KeptFor::kNormal);
  EXPECT_THAT(ids(), ElementsAre(2));
}

class WindowKeeperTest : public WindowStoreTest {
 protected:
  void play(uint64_t from, uint64_t to, const std::vector<uint64_t>& alerts) {
    for (uint64_t id = from; id <= to; ++id) {
      const auto window = samples(id);
      ring_.decided(record(id, std::ranges::find(alerts, id) != alerts.end()),
                    {.samples = window, .channels = 2, .length = kLength});
      keeper_->drain();
    }
  }
  void make(const WindowsConfig& config) {
    keeper_ = std::make_unique<WindowKeeper>(ring_, std::move(store_), config, nullptr);
  }
  WindowRing ring_{2, kLength};
  std::unique_ptr<WindowKeeper> keeper_;
};

TEST_F(WindowKeeperTest, KeepsAlertsTheirNeighboursAndASampleOfTheRest) {
  make({.around = 2, .normal_every = 10});
  play(1, 32, {14, 15, 28});
  EXPECT_THAT(ids(), ElementsAre(10, 12, 13, 14, 15, 16, 17, 20, 26, 27, 28, 29, 30));
  std::vector<KeptFor> why;
  const auto listed = list_windows(folder());
  ASSERT_TRUE(listed);
  for (const auto& window : *listed) why.push_back(window.why);
  EXPECT_EQ(why[0], KeptFor::kNormal);
  EXPECT_EQ(why[1], KeptFor::kAround);
  EXPECT_EQ(why[3], KeptFor::kAlert);
  EXPECT_EQ(why[12], KeptFor::kAround);  // stroke 30, also one in ten
}

TEST_F(WindowKeeperTest, AWornDieDoesNotFillTheDisk) {
  make({.around = 0, .normal_every = 0});
  std::vector<uint64_t> alerts(200);
  for (uint64_t i = 0; i < alerts.size(); ++i) alerts[i] = i + 1;
  play(1, 200, alerts);
  EXPECT_EQ(ids().size(), kAlertsInARow + (200 - kAlertsInARow) / kThinned);
}

TEST_F(WindowKeeperTest, WhatHadNoVerdictIsNotKept) {
  make({.around = 2, .normal_every = 1});
  const auto window = samples(1);
  model::StrokeRecord faulty = record(1);
  faulty.verdict = model::Verdict::kNoVerdict;
  ring_.decided(faulty, {.samples = window, .channels = 2, .length = kLength});
  keeper_->drain();
  EXPECT_THAT(ids(), ElementsAre());
}

TEST_F(WindowKeeperTest, ItsThreadTakesWhatIsToldAndWhatIsLeft) {
  make({.around = 0, .normal_every = 1});
  keeper_->start();
  const auto window = samples(1);
  ring_.decided(record(1), {.samples = window, .channels = 2, .length = kLength});
  keeper_->notify();
  keeper_->finish();
  EXPECT_THAT(ids(), ElementsAre(1));
}

TEST_F(WindowStoreTest, AnExportIsASetToLearnFromAndToJudgeAgainst) {
  for (uint64_t id = 1; id <= 3; ++id) keep(id, KeptFor::kNormal);
  for (uint64_t id = 4; id <= 7; ++id) keep(id, KeptFor::kAlert);
  keep(8, KeptFor::kAround);
  ASSERT_TRUE(store_->label(3, "true"));
  ASSERT_TRUE(store_->label(4, "true"));
  ASSERT_TRUE(store_->label(5, "nuisance"));
  ASSERT_TRUE(store_->label(6, "unknown"));
  std::filesystem::remove(samples_file(folder(), 2));  // given up since it was listed
  const auto out = temporary_.path() / "out";
  const auto report = export_windows(folder(), out);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->normal, 2U);      // 1, 5
  EXPECT_EQ(report->anomalous, 2U);   // 3, 4
  EXPECT_EQ(report->unlabelled, 3U);  // 6, 7, 8
  EXPECT_EQ(report->gone, 1U);
  const auto normal = recording::read_recording(out / "normal" / "press.npy");
  ASSERT_TRUE(normal) << normal.error().message;
  ASSERT_EQ(normal->windows, 2U);
  EXPECT_EQ(normal->channels, 2U);
  EXPECT_EQ(normal->window(1)[0], 5.0F);
  const auto anomalous = recording::read_recording(out / "anomalous" / "press.npy");
  ASSERT_TRUE(anomalous);
  EXPECT_EQ(anomalous->window(0)[kLength], 3.0F);
  const auto index = read_text_file(out / "press.jsonl", 1 << 20);
  ASSERT_TRUE(index);
  EXPECT_THAT(*index, HasSubstr("\"set\":\"anomalous\",\"row\":1"));
  EXPECT_EQ(std::ranges::count(*index, '\n'), 7);
  EXPECT_FALSE(export_windows(temporary_.path() / "nothing", out));
}

}  // namespace
}  // namespace millwright::edge
