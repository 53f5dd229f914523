// SPDX-License-Identifier: Apache-2.0
// From the model's raw number to what an operator reads: an anomaly score in [0, 1] with the threshold at 0.5, a
// severity, and the features that weigh most.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/verdict.h"

namespace millwright::model {

// How the model's output becomes one raw score per window; higher is more anomalous.
enum class ScoreKind : uint8_t {
  kOutput,  // output 0 is the score, shape (batch) or (batch, 1); output 1, if there, is (batch, features) shares
  kReconstruction,  // output 0 is a reconstruction of the input, shape (batch, features): mean squared error
};

// Raw-score limits; all finite, threshold > offset, medium <= high <= critical.
struct Threshold {
  double offset = 0.0;            // the raw score that maps to 0
  double threshold = 1.0;         // the raw score that maps to 0.5: at or above it is an alert (MEDIUM)
  double high = 2.0;              // HIGH from here
  double critical = 4.0;          // CRITICAL from here
  double false_alarm_rate = 0.0;  // the stated rate, per window
  double ci95_low = 0.0;          // 95 % interval of the threshold
  double ci95_high = 0.0;
  uint64_t held_out_windows = 0;  // how many normal windows it was fitted on
  std::string method;             // "gpd" or "empirical"

  [[nodiscard]] Status validate() const;
  [[nodiscard]] bool is_alert(double raw) const { return raw >= threshold; }
  [[nodiscard]] Severity severity(double raw) const;
  // s / (s + t) with s = raw - offset, t = threshold - offset; 0 below the offset. Monotone; NaN stays NaN.
  [[nodiscard]] double score01(double raw) const;
};

// The features with the largest share, largest first.
inline constexpr size_t kTopCount = 3;
struct TopFeature {
  uint16_t feature = 0;  // index into FeatureSpec::feature_names()
  float share = 0.0F;    // of the whole, 0 .. 1
};
struct Top {
  std::array<TopFeature, kTopCount> items{};
  uint8_t count = 0;
};
// `contributions` >= 0; non-finite and negative ones count as 0. Neither allocates nor fails.
Top top_features(std::span<const float> contributions);

}  // namespace millwright::model
