// SPDX-License-Identifier: Apache-2.0
// What an updater keeps and judges by: its record, its bundles, its probation.
#include "edge/updater/install_state.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/temporary_folder.h"
#include "edge/updater/model_store.h"
#include "edge/updater/probation.h"

namespace millwright::edge {
namespace {

using ::testing::HasSubstr;
using enum UpdatePhase;

// --- its record on disk ---

InstallState some_state() {
  InstallState state{.sequence = 7, .phase = kProbation, .starts = 1, .served_ns = 5};
  state.active =
      InstalledModel{.digest = sha256("a"), .target = "press/a.bundle", .bytes = 1, .order = 3, .since_ns = 9};
  state.candidate =
      InstalledModel{.digest = sha256("b"), .target = "press/b.bundle", .bytes = 1, .order = 4, .since_ns = 10};
  state.probation = {.verdicts = 10, .alerts = 1, .failures = 2};
  state.before = {.verdicts = 100, .alerts = 3, .failures = 0};
  state.refused = {{.digest = sha256("c"), .order = 2, .why = "too \"slow\"\n", .at_ns = 8}};
  return state;
}

TEST(InstallState, IsTheSameAfterWritingAndReading) {
  const auto read = parse_install_state(to_text(some_state()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, some_state());
}

TEST(InstallState, NoChangeOfItsBytesIsTaken) {
  const std::string good = to_text(some_state());
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    const size_t at = random.below(bad.size());
    switch (random.below(3)) {
      case 0: bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8))); break;
      case 1: bad.resize(at); break;
      default: bad.erase(at, 1 + random.below(20)); break;
    }
    EXPECT_FALSE(parse_install_state(bad)) << bad;
  }
}

TEST(InstallState, TheExampleOfTheFormatIsOne) {
  const std::string body =
      R"({"active":null,"before":{"alerts":3,"failures":0,"verdicts":410},"candidate":null,"phase":"idle","previous":null,"probation":{"alerts":0,"failures":0,"verdicts":0},"refused":[],"sequence":4,"served_ns":0,"starts":0,"version":1})";
  const auto read = parse_install_state(body + "\n6a8d5c8f677e1a41281f557b3beac791fa42a01440965ffb89f41e2a9a3dd1fc\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->before.verdicts, 410U);
  EXPECT_EQ(to_text(*read).substr(0, body.size()), body);
}

TEST(InstallStateFile, WhereTheLatestIsUnreadableTheOneBeforeHolds) {
  const TemporaryFolder folder;
  const InstallStateFile file(folder.path());
  EXPECT_EQ(file.load()->state, InstallState{});
  InstallState state = some_state();
  ASSERT_TRUE(file.save(state));
  state.starts = 2;
  ASSERT_TRUE(file.save(state));
  EXPECT_EQ(file.load()->state.starts, 2U);
  EXPECT_EQ(file.load()->before->starts, 1U);
  std::ofstream(folder.path() / (state.sequence % 2 == 0 ? "update.0.json" : "update.1.json")) << "{";
  const auto found = file.load();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state.starts, 1U);
  ASSERT_EQ(found->unreadable.size(), 1U);
  state = found->state;
  ASSERT_TRUE(file.save(state)) << "over the unreadable one";
  EXPECT_TRUE(file.load()->unreadable.empty());
}

// --- bundles on disk ---

TEST(ModelStore, RefusesWhatWouldTakeTheRoomOfRecordsAndNamesTheShortage) {
  const TemporaryFolder folder;
  const ModelStore store(folder.path(), [](const auto&) { return Result<uint64_t>(300ULL << 20); });
  EXPECT_TRUE(store.prepare(sha256("a"), 10 << 20));
  const auto full = store.prepare(sha256("a"), 100 << 20);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(full.error().message, HasSubstr("make room for 57 MiB"));
  EXPECT_FALSE(store.prepare(sha256("a"), kMostBundleBytes + 1));
}

TEST(ModelStore, TakesWhatIsSignedAndNothingElse) {
  const TemporaryFolder folder;
  const ModelStore store(folder.path() / "models");
  const auto stick = folder.path() / "stick.bundle";
  std::ofstream(stick) << "content";
  ASSERT_TRUE(store.take_in(stick, sha256("content"), 7));
  EXPECT_TRUE(store.has(sha256("content")));
  EXPECT_FALSE(store.take_in(stick, sha256("other"), 7));
  EXPECT_FALSE(store.take_in(stick, sha256("content"), 6)) << "longer than signed";
  EXPECT_FALSE(store.has(sha256("other")));
  EXPECT_FALSE(std::filesystem::exists(store.part(sha256("other"))));
}

// --- probation ---

TEST(Probation, AlertsAreComparedWithTheModelBefore) {
  InstallState state{.phase = kProbation};
  state.before = {.verdicts = 10'000, .alerts = 1'000, .failures = 0};
  state.probation = {.verdicts = 100, .alerts = 12, .failures = 0};
  const ProbationRules rules;
  EXPECT_EQ(judge_probation(state, 0, rules).kind, ProbationFinding::Kind::kGoesOn);
  state.probation.alerts = 40;
  EXPECT_EQ(judge_probation(state, 0, rules).kind, ProbationFinding::Kind::kRefused);
  state.probation = {.verdicts = 200, .alerts = 12, .failures = 0};
  state.served_ns = rules.least_ns;
  EXPECT_EQ(judge_probation(state, 0, rules).kind, ProbationFinding::Kind::kProven);
  state.probation.failures = 4;
  EXPECT_EQ(judge_probation(state, 0, rules).kind, ProbationFinding::Kind::kRefused);
}

// A model that is as good as the one before is sent back at most as often as the rule says, however often one looks.
TEST(Probation, AGoodModelIsRarelyRefused) {
  Random random(11);
  const ProbationRules rules;
  int refused = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    InstallState state{.phase = kProbation};
    state.before = {.verdicts = 1000, .alerts = 50, .failures = 0};
    for (int stroke = 0; stroke < 200; ++stroke) {
      ++state.probation.verdicts;
      state.probation.alerts += random.below(1000) < 50 ? 1 : 0;
      if (judge_probation(state, 0, rules).kind != ProbationFinding::Kind::kRefused) continue;
      ++refused;
      break;
    }
  }
  EXPECT_LE(refused, 4);
}

}  // namespace
}  // namespace millwright::edge
