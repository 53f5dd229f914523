// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/updates.h"

#include <poll.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/temporary_folder.h"

namespace millwright::edge {
namespace {

using ::testing::HasSubstr;

// A server whose shelf the test fills.
struct Shelf {
  std::mutex mutex;
  std::map<std::string, std::pair<std::string, uint64_t>> contents;  // by target: bytes and order
  std::string sends;                                                 // instead of what was signed
  bool away = false;
  bool hangs = false;
  std::atomic<int> looks{0};
  std::atomic<bool> hung{false};
};

class ShelfSource final : public UpdateSource {
 public:
  explicit ShelfSource(Shelf& shelf) : shelf_(shelf) {}
  Result<std::vector<std::optional<InstalledModel>>> look(std::span<const std::string> targets, int) override {
    const std::lock_guard lock(shelf_.mutex);
    ++shelf_.looks;
    if (shelf_.away) return fail(ErrorCode::kUnavailable, "nobody is there");
    std::vector<std::optional<InstalledModel>> out;
    for (const std::string& target : targets) {
      const auto found = shelf_.contents.find(target);
      if (found == shelf_.contents.end()) {
        out.emplace_back();
        continue;
      }
      const auto& [content, order] = found->second;
      out.push_back(
          InstalledModel{.digest = sha256(content), .target = target, .bytes = content.size(), .order = order});
    }
    return out;
  }
  Status fetch(const InstalledModel& model, const std::filesystem::path& part, int cancel_fd) override {
    if (shelf_.hangs) {
      shelf_.hung = true;
      pollfd fd{.fd = cancel_fd, .events = POLLIN, .revents = 0};
      ::poll(&fd, 1, 30'000);
      return fail(ErrorCode::kCancelled, "nobody wants it");
    }
    const std::lock_guard lock(shelf_.mutex);
    std::ofstream(part) << (shelf_.sends.empty() ? shelf_.contents[model.target].first : shelf_.sends);
    return {};
  }

 private:
  Shelf& shelf_;
};

class UpdatesTest : public ::testing::Test {
 protected:
  UpdatesTest() {
    config_.device_id = "box";
    config_.state = folder_.path();
    config_.updates = UpdatesConfig{.poll_s = 100, .probation_s = 0, .probation_verdicts = 10};
    config_.inference.profile = "x86-int8";
    for (const char* id : {"press1", "press2"}) {
      config_.assets.push_back({.id = id, .bundle = folder_.path() / "factory", .model = id});
    }
    config_.assets.push_back({.id = "by-hand"});
    std::ofstream(folder_.path() / "factory") << "factory";
    start();
  }
  void start() {
    updates_.reset();
    updates_ = std::make_unique<Updates>(
        config_, clock_,
        UpdateWorld{.source = std::make_unique<ShelfSource>(shelf_),
                    .qualify = [this](const AssetConfig&, const std::filesystem::path& bundle, int) -> Status {
                      const std::lock_guard lock(shelf_.mutex);
                      if (read_text_file(bundle, 100).value_or("").starts_with("bad")) {
                        return fail(ErrorCode::kRefused, "golden vectors disagree");
                      }
                      return {};
                    },
                    .serve = [this](const std::string& asset, const std::filesystem::path& bundle) -> Status {
                      serving_[asset] = read_text_file(bundle, 100).value_or("nothing");
                      return {};
                    },
                    .counts = [this](const std::string& asset) { return counts_[asset]; }});
    const auto open = updates_->open();
    ASSERT_TRUE(open) << open.error().message;
    EXPECT_EQ(open->size(), 2U) << "the third takes none";
    for (const auto& [asset, bundle] : *open) serving_[asset] = read_text_file(bundle, 100).value_or("nothing");
    updates_->resume();
  }
  void put(const std::string& target, const std::string& content, uint64_t order) {
    const std::lock_guard lock(shelf_.mutex);
    shelf_.contents[target] = {content, order};
  }
  // Ticks until it is so; the worker's thread needs real time.
  template <typename Condition>
  bool until(Condition condition) {
    for (int i = 0; i < 2'000; ++i) {
      clock_.advance_ns(1'000'000'000);
      for (auto& [asset, counts] : counts_) ++counts.verdicts;
      updates_->tick();
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  [[nodiscard]] std::string phase(const char* asset) const { return updates_->status(asset)["phase"]; }

  TemporaryFolder folder_;
  Config config_;
  FakeClock clock_;
  Shelf shelf_;
  std::map<std::string, std::string> serving_;
  std::map<std::string, StrokeCounts> counts_{{"press1", {}}, {"press2", {}}};
  std::unique_ptr<Updates> updates_;
};

TEST_F(UpdatesTest, EachAssetGetsItsOwnModelAndKeepsItOverAStart) {
  put("press1/x86-int8.bundle", "one", 1);
  put("press2/x86-int8.bundle", "two", 1);
  EXPECT_EQ(serving_["press1"], "factory");
  ASSERT_TRUE(until([&] { return serving_["press1"] == "one" && serving_["press2"] == "two"; }));
  ASSERT_TRUE(until([&] { return phase("press1") == "idle" && phase("press2") == "idle"; }));
  EXPECT_EQ(updates_->status("press1")["active"]["target"], "press1/x86-int8.bundle");
  EXPECT_TRUE(updates_->status("by-hand").is_null());
  start();
  EXPECT_EQ(serving_["press1"], "one");
  EXPECT_EQ(serving_["press2"], "two");
}

TEST_F(UpdatesTest, WhatIsNotGoodOnThisBoxIsRefusedAndNotBroughtAgain) {
  put("press1/x86-int8.bundle", "bad", 1);
  ASSERT_TRUE(until([&] { return updates_->status("press1").contains("refused_last"); }));
  EXPECT_THAT(updates_->status("press1")["refused_last"]["why"].get<std::string>(), HasSubstr("golden vectors"));
  const int before = shelf_.looks;
  ASSERT_TRUE(until([&] { return shelf_.looks >= before + 3; })) << "it goes on asking";
  EXPECT_EQ(phase("press1"), "idle");
  EXPECT_EQ(serving_["press1"], "factory");
  put("press1/x86-int8.bundle", "good", 2);
  EXPECT_TRUE(until([&] { return serving_["press1"] == "good"; }));
}

TEST_F(UpdatesTest, BytesThatWereNotSignedNeverServe) {
  put("press1/x86-int8.bundle", "one", 1);
  shelf_.sends = "two";
  ASSERT_TRUE(until([&] { return updates_->status("press1").contains("refused_last"); }));
  EXPECT_THAT(updates_->status("press1")["refused_last"]["why"].get<std::string>(), HasSubstr("not what was signed"));
  EXPECT_EQ(serving_["press1"], "factory");
}

TEST_F(UpdatesTest, AServerThatIsAwayIsAskedAgainAndNothingStops) {
  shelf_.away = true;
  ASSERT_TRUE(until([&] { return shelf_.looks >= 3; }));
  shelf_.away = false;
  put("press2/x86-int8.bundle", "two", 1);
  EXPECT_TRUE(until([&] { return serving_["press2"] == "two"; }));
}

TEST_F(UpdatesTest, OnlyInsideTheWindowMayASwapBe) {
  updates_.reset();
  const std::time_t now = clock_.wall_ns() / 1'000'000'000;
  std::tm local{};
  ::localtime_r(&now, &local);
  const int minute = local.tm_hour * 60 + local.tm_min;
  config_.updates->window = {.from_min = (minute + 120) % 1440, .until_min = (minute + 240) % 1440};
  start();
  put("press1/x86-int8.bundle", "one", 1);
  ASSERT_TRUE(until([&] { return phase("press1") == "waiting"; }));
  EXPECT_EQ(serving_["press1"], "factory");
  clock_.advance_ns(int64_t{130} * 60 * 1'000'000'000);
  EXPECT_TRUE(until([&] { return serving_["press1"] == "one"; }));
}

// A thread that waits for a server does not keep the agent from ending, nor from taking the operator's no.
TEST_F(UpdatesTest, AServerThatHangsIsLeft) {
  shelf_.hangs = true;
  put("press1/x86-int8.bundle", "one", 1);
  ASSERT_TRUE(until([&] { return shelf_.hung.load(); }));
  EXPECT_TRUE(updates_->withdraw("press1", "the operator says no"));
  EXPECT_FALSE(updates_->withdraw("press1", "again"));
  EXPECT_FALSE(updates_->withdraw("by-hand", "none"));
  EXPECT_EQ(phase("press1"), "idle");
  shelf_.hung = false;
  put("press2/x86-int8.bundle", "two", 1);
  ASSERT_TRUE(until([&] { return shelf_.hung.load(); })) << "the worker is free for the next";
  updates_.reset();
}

TEST(DayWindow, IsReadStrictlyAndMayGoOverMidnight) {
  EXPECT_EQ(parse_day_window("02:00-04:30"), (DayWindow{120, 270}));
  for (const char* bad :
       {"", "2:00-04:30", "02:00", "02:00-02:00", "25:00-26:00", "02:60-03:00", "0a:00-03:00", "02:00-04:30 "}) {
    EXPECT_FALSE(parse_day_window(bad)) << bad;
  }
  const DayWindow night{22 * 60, 2 * 60};
  EXPECT_TRUE(within(night, 23 * 60));
  EXPECT_TRUE(within(night, 60));
  EXPECT_FALSE(within(night, 12 * 60));
  EXPECT_FALSE(within({120, 270}, 270));
}

}  // namespace
}  // namespace millwright::edge
