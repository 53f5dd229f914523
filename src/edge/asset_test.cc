// SPDX-License-Identifier: Apache-2.0
#include "edge/asset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/fake_judge.h"
#include "edge/fake_records.h"

namespace millwright::edge {
namespace {

constexpr std::string_view kConfig = R"([agent]
device_id = "box-7"
factory_id = "plant"
line_id = "line1"
state = "state"

[[asset]]
id = "press1"
deadline_ms = 500
window = { length = 2000, rate_hz = 10000 }
trigger = { kind = "external" }
source = { kind = "simulated-press", strokes = 1 }
output = { kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "pass" }
)";

class AssetTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Asset>> open() {
    config_ = *parse_config(kConfig, "test.toml", folder_.path());
    return Asset::create({.config = config_,
                          .asset = config_.assets[0],
                          .clock = clock_,
                          .fast = true,
                          .on_end = {},
                          .metrics = registry_,
                          .show = {},
                          .durable = {}});
  }

  TemporaryFolder folder_;
  SystemClock clock_;
  metrics::Registry registry_;
  Config config_;
};

// A model for another window would read past its samples, or score every stroke at the wrong rate.
TEST_F(AssetTest, AJudgeForOtherWindowsIsRefused) {
  const auto asset = open();
  ASSERT_TRUE(asset) << asset.error().message;
  const auto offer = [&](size_t channels, size_t length, double rate_hz) {
    return (*asset)->offer(std::make_unique<FakeJudge>(channels, length, nullptr, 1, rate_hz));
  };
  EXPECT_FALSE(offer(2, 2000, 10'000.0));
  EXPECT_FALSE(offer(1, 1000, 10'000.0));
  const auto refused = offer(1, 2000, 20'000.0);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("press1"));
  EXPECT_EQ((*asset)->model(), Digest{});
  EXPECT_TRUE(offer(1, 2000, 10'000.0));
}

}  // namespace
}  // namespace millwright::edge
