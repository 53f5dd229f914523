// SPDX-License-Identifier: Apache-2.0
#include "inference/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/small_bundle_fixture.h"

namespace millwright::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<Rung> kLadder = default_ladder();

std::vector<RungState> states(const Climb& climb) {
  std::vector<RungState> result;
  for (const RungFinding& finding : climb.findings) result.push_back(finding.state);
  return result;
}

TryRung trial_of(const model::Bundle& bundle, double budget_ms = 0.0) {
  return [&bundle, budget_ms](const Rung& rung) {
    TrialOptions options;
    options.latency_budget_ms = budget_ms;
    options.session.rung = rung;
    return try_bundle(bundle, options);
  };
}

TEST(Ladder, OnAMachineWithoutAcceleratorsTheCpuServesAndEachOtherRungSaysWhyNot) {
  if (std::filesystem::exists("/dev/nvidiactl")) GTEST_SKIP() << "this machine has a GPU";
  const model::Bundle bundle = bundle_of_two_features();
  const Climb climbed = climb(kLadder, trial_of(bundle));
  using enum RungState;
  EXPECT_THAT(states(climbed), ElementsAre(kUnavailable, kUnavailable, kUnavailable, kServing));
  EXPECT_EQ(climbed.index, 3U);
  EXPECT_EQ(climbed.findings[3].report.runs, 200U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_THAT(climbed.findings[i].why, HasSubstr(std::string(runtime_name(kLadder[i].provider))));
    EXPECT_THAT(climbed.findings[i].why, HasSubstr("out of the list of providers"));
  }
}

TEST(Ladder, TheHighestThatPassesServesAndNoneBelowIsTried) {
  int tried = 0;
  const Climb climbed = climb(kLadder, [&](const Rung& rung) -> Result<TrialReport> {
    ++tried;
    if (rung.provider == Provider::kTensorRt) return fail(ErrorCode::kUnsupported, "no such library");
    return TrialReport{};
  });
  using enum RungState;
  EXPECT_THAT(states(climbed), ElementsAre(kUnavailable, kServing, kUnneeded, kUnneeded));
  EXPECT_EQ(tried, 2);
}

// The double: what a provider with another arithmetic would say to the same golden vectors.
TEST(Ladder, ARungWhoseGoldenVectorsDisagreeIsNeverUsed) {
  const model::Bundle bundle = bundle_of_two_features();
  model::Bundle other = bundle;
  other.golden.expected = {5.1F, 25.0F};
  const TryRung sound = trial_of(bundle);
  const TryRung wrong = trial_of(other);
  const Climb climbed =
      climb(kLadder, [&](const Rung& rung) { return rung.provider == Provider::kCpu ? sound({}) : wrong({}); });
  using enum RungState;
  EXPECT_THAT(states(climbed), ElementsAre(kDisagrees, kDisagrees, kDisagrees, kServing));
  EXPECT_THAT(climbed.findings[0].why, HasSubstr("golden vector 0: the score is 5, expected is 5.09"));
}

TEST(Ladder, ARungOverItsBudgetDoesNotCount) {
  const model::Bundle bundle = bundle_of_two_features();
  const Climb climbed = climb(std::vector<Rung>{{}}, trial_of(bundle, 1e-6));
  EXPECT_EQ(climbed.index, 1U);
  EXPECT_EQ(climbed.findings[0].state, RungState::kTooSlow);
}

TEST(Ladder, EveryChangeIsTold) {
  std::string told;
  (void)climb(
      std::vector<Rung>(2), [](const Rung&) -> Result<TrialReport> { return fail(ErrorCode::kRefused, "crashed"); },
      [&](size_t index, const RungFinding& finding) { told += fmt::format("{}{} ", index, name(finding.state)); });
  EXPECT_EQ(told, "0trying 0failed 1trying 1failed ");
}

TEST(Ladder, NamesAreReadAsPeopleAndTheRuntimeWriteThem) {
  EXPECT_EQ(parse_provider("tensorrt").value(), Provider::kTensorRt);
  EXPECT_EQ(parse_provider("CUDAExecutionProvider").value(), Provider::kCuda);
  EXPECT_THAT(parse_provider("gpu").error().message, HasSubstr("tensorrt, cuda, openvino, cpu"));
  EXPECT_EQ(find_profile("jetson-agx-orin-int8")->rungs.size(), 3U);
  EXPECT_THAT(find_profile("toaster").error().message, HasSubstr("rpi-cm4-cpu"));
}

}  // namespace
}  // namespace millwright::inference
