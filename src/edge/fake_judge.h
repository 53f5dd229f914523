// SPDX-License-Identifier: Apache-2.0
// A judge that the window itself tells what to do, so that a script of windows is a script of verdicts.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "edge/judge.h"

namespace millwright::edge {

// The samples of channel 0 at these places steer the fake; the others are free.
inline constexpr size_t kFakeRaw = 1;    // the raw score to give; may be NaN only by kFakeNan
inline constexpr size_t kFakeFails = 2;  // 1: the model fails
inline constexpr size_t kFakeNan = 3;    // 1: the score is NaN
inline constexpr size_t kFakeMs = 4;     // how long it takes
inline constexpr size_t kFakeLength = 8;

class FakeJudge final : public Judge {
 public:
  // `take_ms` makes time pass.
  FakeJudge(size_t channels, size_t length, std::function<void(float)> take_ms = {}, uint8_t digest = 1,
            double rate_hz = 0.0)
      : take_ms_(std::move(take_ms)) {
    facts_.digest.bytes.fill(digest);
    facts_.threshold.threshold = 1.0;
    facts_.feature_names = {"a", "b"};
    facts_.provider = 1;
    facts_.channels = channels;
    facts_.length = length;
    facts_.rate_hz = rate_hz;
  }

  [[nodiscard]] const JudgeFacts& facts() const override { return facts_; }
  [[nodiscard]] bool judge(const signal::Window& window, Judgement& judgement) noexcept override {
    ++calls_;
    const auto script = window.channel(0);
    if (take_ms_ && script[kFakeMs] > 0.0F) take_ms_(script[kFakeMs]);
    judgement.raw = script[kFakeNan] == 1.0F ? std::numeric_limits<double>::quiet_NaN() : script[kFakeRaw];
    judgement.contributions = shares_;
    summary_->add(shares_);
    return script[kFakeFails] != 1.0F;
  }
  [[nodiscard]] std::string_view error() const noexcept override { return "the script says so"; }
  [[nodiscard]] std::shared_ptr<FeatureSummary> summary() const override { return summary_; }
  [[nodiscard]] uint64_t calls() const { return calls_; }

 private:
  JudgeFacts facts_;
  std::function<void(float)> take_ms_;
  std::array<float, 2> shares_ = {0.25F, 0.75F};
  std::shared_ptr<FeatureSummary> summary_ = std::make_shared<FeatureSummary>(2);
  uint64_t calls_ = 0;
};

}  // namespace millwright::edge
