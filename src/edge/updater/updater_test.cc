// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/updater.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"

namespace millwright::edge {
namespace {

using ::testing::HasSubstr;
using enum UpdatePhase;
using enum UpdateEvent;

// --- the table ---

TEST(UpdateTransitions, EachPhaseAndEventHasOneNextPhaseAtMost) {
  std::set<std::pair<UpdatePhase, UpdateEvent>> seen;
  for (const UpdateTransition& one : update_transitions()) {
    EXPECT_TRUE(seen.emplace(one.phase, one.event).second) << name(one.phase) << " " << name(one.event);
  }
}

// From wherever the power goes, there is a way back to one committed model.
TEST(UpdateTransitions, EveryPhaseButIdleSurvivesAStartAndCanBeLeft) {
  for (const UpdatePhase phase : {kDownloading, kQualifying, kWaiting, kProbation}) {
    const auto started = next_step(phase, kStarted);
    ASSERT_TRUE(started) << name(phase);
    EXPECT_EQ(started->next, phase);
    const auto withdrawn = next_step(phase, kWithdrawn);
    ASSERT_TRUE(withdrawn) << name(phase);
    EXPECT_EQ(withdrawn->next, kIdle);
  }
  for (const UpdatePhase phase : {kQualifying, kProbation}) EXPECT_EQ(next_step(phase, kStartedTooOften)->next, kIdle);
}

// Whatever serves under trial leaves trial by going back or by being committed, and by nothing else.
TEST(UpdateTransitions, ProbationEndsInCommitOrGoingBack) {
  for (const UpdateTransition& one : update_transitions()) {
    if (one.next == kProbation) {
      EXPECT_EQ(one.action, UpdateAction::kSwap);
    }
    if (one.phase != kProbation || one.next == kProbation) continue;
    EXPECT_EQ(one.action, one.event == kProven ? UpdateAction::kCommit : UpdateAction::kSwapBack) << name(one.event);
  }
  EXPECT_FALSE(next_step(kProbation, kOffered)) << "a newer one waits until this one is decided";
}

// --- an asset's updater, with hands that only note what they are told ---

struct FakeHands final : UpdateHands {
  std::vector<Digest> downloads;
  std::vector<std::filesystem::path> qualifies;
  std::filesystem::path serving;
  StrokeCounts strokes;
  bool serve_fails = false;

  void download(const InstalledModel& candidate) override { downloads.push_back(candidate.digest); }
  void qualify(const std::filesystem::path& bundle) override { qualifies.push_back(bundle); }
  void cancel() override {}
  Status serve(const std::filesystem::path& bundle) override {
    if (serve_fails) return fail(ErrorCode::kInvalidInput, "its windows are not this asset's");
    serving = bundle;
    return {};
  }
  StrokeCounts counts() override { return strokes; }
};

class UpdaterTest : public ::testing::Test {
 protected:
  UpdaterTest() {
    std::ofstream(factory_) << "factory";
    start();
  }

  // A new process on what the one before left on disk.
  void start() {
    updater_.reset();
    hands_ = {};
    updater_ =
        std::make_unique<Updater>(UpdaterOptions{.folder = folder_.path() / "models",
                                                 .factory = factory_,
                                                 .asset = "press",
                                                 .probation = {.least_ns = 10'000'000'000, .least_verdicts = 20}},
                                  hands_, clock_, ModelStore(folder_.path() / "models"));
    const auto bundle = updater_->open();
    ASSERT_TRUE(bundle) << bundle.error().message;
    hands_.serving = *bundle;
    updater_->resume();
  }

  InstalledModel model(const std::string& content, uint64_t order = 1) const {
    return {.digest = sha256(content), .target = content + ".bundle", .bytes = content.size(), .order = order};
  }
  void bring(const std::string& content) {
    std::ofstream(ModelStore(folder_.path() / "models").part(sha256(content))) << content;
    updater_->downloaded(ModelStore(folder_.path() / "models").accept(sha256(content), content.size()));
  }
  [[nodiscard]] std::string serving() const { return read_text_file(hands_.serving, 1000).value_or("nothing"); }
  [[nodiscard]] UpdatePhase phase() const { return updater_->state().phase; }

  void strokes(uint64_t verdicts, uint64_t alerts = 0, uint64_t failures = 0, int64_t seconds = 1) {
    hands_.strokes.verdicts += verdicts;
    hands_.strokes.alerts += alerts;
    hands_.strokes.failures += failures;
    clock_.advance_ns(seconds * 1'000'000'000);
    updater_->tick(true);
  }
  // Up to probation.
  void install(const std::string& content, uint64_t order = 1) {
    updater_->offer(model(content, order));
    bring(content);
    updater_->qualified({});
    updater_->tick(true);
  }
  void prove() {
    for (int i = 0; i < 12 && phase() == kProbation; ++i) strokes(5);
  }

  TemporaryFolder folder_;
  std::filesystem::path factory_ = folder_.path() / "factory.bundle";
  FakeClock clock_;
  FakeHands hands_;
  std::unique_ptr<Updater> updater_;
};

TEST_F(UpdaterTest, AModelComesIsTriedServesAndIsCommitted) {
  EXPECT_EQ(serving(), "factory");
  updater_->offer(model("v2"));
  EXPECT_EQ(phase(), kDownloading);
  ASSERT_EQ(hands_.downloads.size(), 1U);
  bring("v2");
  EXPECT_EQ(phase(), kQualifying);
  ASSERT_EQ(hands_.qualifies.size(), 1U);
  EXPECT_EQ(serving(), "factory");
  updater_->qualified({});
  updater_->tick(false);
  EXPECT_EQ(phase(), kWaiting) << "the window is shut";
  updater_->tick(true);
  EXPECT_EQ(phase(), kProbation);
  EXPECT_EQ(serving(), "v2");
  strokes(19, 0, 0, 60);
  EXPECT_EQ(phase(), kProbation) << "too few verdicts";
  strokes(1);
  EXPECT_EQ(phase(), kIdle);
  EXPECT_EQ(serving(), "v2");
  EXPECT_EQ(updater_->state().active->digest, sha256("v2"));
  install("v3", 2);
  prove();
  EXPECT_EQ(updater_->state().previous->digest, sha256("v2"));
  start();
  EXPECT_EQ(serving(), "v3");
}

TEST_F(UpdaterTest, AModelThatMisbehavesGoesBackWithTheReasonAndMayBeSentAgain) {
  install("v2");
  prove();
  strokes(1000, 10);
  install("v3", 2);
  EXPECT_EQ(serving(), "v3");
  strokes(10, 9);
  EXPECT_EQ(phase(), kIdle);
  EXPECT_EQ(serving(), "v2");
  EXPECT_THAT(updater_->state().refused.back().why, HasSubstr("9 alerts in 10"));
  updater_->offer(model("v3", 2));
  EXPECT_EQ(phase(), kIdle) << "the same order";
  install("v3", 3);
  EXPECT_EQ(phase(), kProbation) << "a new one";
  strokes(0, 0, 1);
  strokes(0, 0, 1);
  EXPECT_EQ(phase(), kProbation);
  strokes(0, 0, 1);
  EXPECT_EQ(serving(), "v2") << "three strokes in a row without a verdict";
  install("v3", 4);
  prove();
  EXPECT_EQ(updater_->state().active->digest, sha256("v3"));
}

TEST_F(UpdaterTest, WhatIsNotWhatWasSignedOrDoesNotPassNeverServes) {
  updater_->offer(model("v2"));
  const ModelStore store(folder_.path() / "models");
  std::ofstream(store.part(sha256("v2"))) << "vX";
  updater_->downloaded(store.accept(sha256("v2"), 2));
  EXPECT_EQ(phase(), kIdle);
  EXPECT_THAT(updater_->state().refused.back().why, HasSubstr("not what was signed"));
  updater_->offer(model("v3", 2));
  bring("v3");
  updater_->qualified(fail(ErrorCode::kRefused, "golden vector 3: 0.9 instead of 0.1"));
  EXPECT_EQ(phase(), kIdle);
  EXPECT_EQ(serving(), "factory");
  install("v4", 3);
  EXPECT_EQ(serving(), "v4");
  hands_.serve_fails = true;
  prove();
  updater_->offer(model("v5", 4));
  bring("v5");
  updater_->qualified({});
  updater_->tick(true);
  EXPECT_EQ(phase(), kIdle);
  EXPECT_EQ(serving(), "v4");
}

// The process ends after each step of the way in turn; afterwards everything goes on to its end, and at every start a
// whole model serves that was signed.
TEST_F(UpdaterTest, AStartAtEveryStepComesToTheSameEnd) {
  for (int killed_at = 0; killed_at < 6; ++killed_at) {
    const std::string content = "model " + std::to_string(killed_at);
    const std::string before = serving();
    int step = 0;
    const auto maybe_kill = [&] {
      if (step++ != killed_at) return;
      start();
      EXPECT_TRUE(serving() == before || serving() == content) << serving();
    };
    updater_->offer(model(content, static_cast<uint64_t>(killed_at) + 1));
    maybe_kill();
    EXPECT_EQ(phase(), kDownloading);
    EXPECT_EQ(hands_.downloads.size(), 1U) << "goes on after a start";
    bring(content);
    maybe_kill();
    EXPECT_EQ(phase(), kQualifying);
    EXPECT_EQ(hands_.qualifies.size(), 1U) << "tried again after a start";
    updater_->qualified({});
    maybe_kill();
    updater_->tick(true);
    maybe_kill();
    EXPECT_EQ(phase(), kProbation);
    strokes(5);
    maybe_kill();
    EXPECT_EQ(serving(), content) << "still under trial";
    prove();
    maybe_kill();
    EXPECT_EQ(phase(), kIdle);
    EXPECT_EQ(serving(), content);
    hands_ = {};
    start();
  }
}

TEST_F(UpdaterTest, AModelThatTakesTheProcessDownGoesBackAtTheThirdStart) {
  install("v2");
  prove();
  install("v3", 2);
  start();
  EXPECT_EQ(serving(), "v3");
  start();
  EXPECT_EQ(serving(), "v3");
  start();
  EXPECT_EQ(serving(), "v2");
  EXPECT_EQ(phase(), kIdle);
  EXPECT_THAT(updater_->state().refused.back().why, HasSubstr("too often"));
}

TEST_F(UpdaterTest, ABundleThatRotsGivesWayToTheOneBeforeAndThenToTheFactorys) {
  install("v2");
  prove();
  install("v3", 2);
  prove();
  const ModelStore store(folder_.path() / "models");
  std::ofstream(store.bundle(sha256("v3"))) << "rot";
  start();
  EXPECT_EQ(serving(), "v2");
  std::ofstream(store.bundle(sha256("v2"))) << "rot";
  start();
  EXPECT_EQ(serving(), "factory");
}

TEST_F(UpdaterTest, WhatNobodyNamesIsRemovedAndTheOneBeforeStays) {
  for (int i = 2; i < 7; ++i) {
    install("v" + std::to_string(i), static_cast<uint64_t>(i));
    prove();
    updater_->tick(true);
  }
  size_t bundles = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_.path() / "models")) {
    bundles += file.path().extension() == ".bundle" ? 1 : 0;
  }
  EXPECT_LE(bundles, 3U);
  const ModelStore store(folder_.path() / "models");
  EXPECT_TRUE(store.has(sha256("v6")) && store.has(sha256("v5")));
  EXPECT_FALSE(store.has(sha256("v2")));
}

TEST_F(UpdaterTest, TheOperatorsNoEndsIt) {
  install("v2");
  updater_->withdraw("the operator says no");
  EXPECT_EQ(serving(), "factory");
  EXPECT_EQ(updater_->state().refused.back().why, "the operator says no");
}

}  // namespace
}  // namespace millwright::edge
