// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/qualification.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millwright::edge {
namespace {

using inference::Provider;
using inference::Rung;
using ::testing::HasSubstr;

// A box whose providers do as the test says.
class QualificationTest : public ::testing::Test {
 protected:
  Status qualify() {
    const JudgeMaker maker{
        .load = [this](const AssetConfig& asset) -> Result<model::LoadedBundle> {
          EXPECT_EQ(asset.bundle, "new.bundle");
          if (unreadable_) return fail(ErrorCode::kCorrupt, "manifest: cut short");
          return model::LoadedBundle{};
        },
        .try_on = [this](const model::LoadedBundle&, const Rung& rung, int) -> Result<inference::TrialReport> {
          tried_.push_back(rung.provider);
          if (bad_.contains(rung.provider)) return std::unexpected(bad_.at(rung.provider));
          return inference::TrialReport{.p95_ms = 1.0, .runs = 10};
        },
        .make = {}};
    return qualify_bundle({.id = "press", .bundle = "old.bundle"}, "new.bundle", settings_, maker, -1);
  }

  InferenceConfig settings_{.ladder = {{.provider = Provider::kCuda}, {.provider = Provider::kCpu}}};
  std::map<Provider, Error> bad_;
  std::vector<Provider> tried_;
  bool unreadable_ = false;
};

TEST_F(QualificationTest, TheCpuIsAlwaysFirstBecauseOnlyThereItIsConfined) {
  EXPECT_TRUE(qualify());
  EXPECT_EQ(tried_, (std::vector{Provider::kCpu, Provider::kCuda}));
}

TEST_F(QualificationTest, ARungThatFailsLeavesItToTheNext) {
  bad_.emplace(Provider::kCuda, Error{ErrorCode::kUnavailable, "no such library"});
  EXPECT_TRUE(qualify());
}

TEST_F(QualificationTest, WhatIsNotSoundOnTheCpuIsTriedNowhereElse) {
  bad_.emplace(Provider::kCpu, Error{ErrorCode::kRefused, "golden vector 3: 0.9 instead of 0.1"});
  const Status how = qualify();
  ASSERT_FALSE(how);
  EXPECT_THAT(how.error().message, HasSubstr("golden vector 3"));
  EXPECT_EQ(tried_, (std::vector{Provider::kCpu}));
}

TEST_F(QualificationTest, ABundleThatCannotBeReadIsNotTried) {
  unreadable_ = true;
  EXPECT_FALSE(qualify());
  EXPECT_TRUE(tried_.empty());
}

TEST_F(QualificationTest, WithoutARungThatServesItIsRefused) {
  settings_.ladder.pop_back();
  bad_.emplace(Provider::kCuda, Error{ErrorCode::kUnavailable, "no such library"});
  const Status how = qualify();
  ASSERT_FALSE(how);
  EXPECT_EQ(how.error().code, ErrorCode::kRefused);
  EXPECT_THAT(how.error().message, HasSubstr("no such library"));
}

}  // namespace
}  // namespace millwright::edge
