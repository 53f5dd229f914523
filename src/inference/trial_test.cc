// SPDX-License-Identifier: Apache-2.0
#include "inference/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cstdlib>

#include "inference/small_bundle_fixture.h"
#include "inference/trial_wire.h"
#include "onnx/evil_models.h"
#include "onnx/graph_builder.h"

namespace millwright::inference {
namespace {

using ::testing::HasSubstr;

constexpr const char* kCrashVariable = "MILLWRIGHT_TEST_CRASH";

uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

TEST(Trial, AGoodBundlePassesWithItsFigures) {
  const auto report = try_bundle(bundle_of_two_features());
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->runs, 200U);
  EXPECT_GT(report->load_ms, 0.0);
  EXPECT_GT(report->peak_rss_bytes, 1U << 20U);
  EXPECT_LE(report->worst_deviation, 1e-5);
}

TEST(Trial, AWrongScoreIsNamedByItsVector) {
  model::Bundle bundle = bundle_of_two_features();
  bundle.golden.expected[1] = 26.0F;
  const auto report = try_bundle(bundle);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(report.error().message, HasSubstr("golden vector 1: the score is 25, expected is 26"));
}

TEST(Trial, AScoreThatIsNotANumberIsRefused) {
  model::Bundle bundle = bundle_of_two_features();
  bundle.model = onnx::evil::not_a_number(2);
  bundle.score_kind = model::ScoreKind::kReconstruction;
  bundle.golden.features = {-1, -1, 1, 1};
  const auto report = try_bundle(bundle);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(report.error().message, HasSubstr("golden vector 0: the score is"));
}

TEST(Trial, AModelOverItsLatencyBudgetIsRefused) {
  TrialOptions options;
  options.latency_budget_ms = 1e-6;
  const auto report = try_bundle(bundle_of_two_features(), options);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kTimedOut);
  EXPECT_THAT(report.error().message, HasSubstr("the budget is"));
}

TEST(Trial, AnEndlessLoopIsRefusedUntried) {
  const auto report = try_model(onnx::evil::endless_loop());
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kRefused);
  EXPECT_THAT(report.error().message, HasSubstr("Loop"));
}

TEST(Trial, AnEndlessLoopIsStoppedAtTheDeadlineWhereLoopsAreAllowed) {
  TrialOptions options;
  options.deadline = std::chrono::milliseconds(1'500);
  options.session.limits.allow_loops = true;
  const auto report = try_model(onnx::evil::endless_loop(), options);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kTimedOut) << report.error().message;
  EXPECT_THAT(report.error().message, HasSubstr("1500 ms"));
}

TEST(Trial, ABombThatOnlyARunCanFindStaysInTheChild) {
#ifdef MILLWRIGHT_SANITIZED
  GTEST_SKIP() << "sanitizers need terabytes of address space, so that the cap is off";
#endif
  const uint64_t before = peak_rss_bytes();
  const auto report = try_model(onnx::evil::dynamic_bomb());
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kTooLarge) << report.error().message;
  EXPECT_LT(peak_rss_bytes() - before, 20U << 20U);
}

TEST(Trial, ANaNModelWithoutABundleIsRefused) {
  const auto report = try_model(onnx::evil::not_a_number(4));
  ASSERT_FALSE(report.has_value());
  EXPECT_THAT(report.error().message, HasSubstr("output 'y'"));
}

TEST(Trial, ACrashIsRefusedAndNamesTheSignal) {
  ::setenv(kCrashVariable, "1", 1);
  const auto report = try_model(mean_square(2));
  ::unsetenv(kCrashVariable);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kRefused);
  EXPECT_THAT(report.error().message, HasSubstr("crashed"));
}

TEST(Trial, AProgramThatDoesNotKnowTrialsIsSaidSo) {
  TrialOptions options;
  options.program = "/bin/false";
  const auto report = try_model(mean_square(2), options);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message, HasSubstr("no report"));
}

TEST(Trial, AChildTriesNoModelsItself) {
  ::setenv(kTrialVariable, "1", 1);
  const auto report = try_model(mean_square(2));
  ::unsetenv(kTrialVariable);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millwright::inference

int main(int argc, char** argv) {
  if (std::getenv(millwright::inference::kTrialVariable) != nullptr &&
      std::getenv(millwright::inference::kCrashVariable) != nullptr) {
    std::abort();
  }
  millwright::inference::run_trial_child_if_asked(argc, argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
