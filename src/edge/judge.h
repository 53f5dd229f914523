// SPDX-License-Identifier: Apache-2.0
// Who says how anomalous a window is. The stroke loop knows no model, no runtime and no bundle: it knows a Judge.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "edge/features/feature_summary.h"
#include "model/scoring.h"
#include "signal/health.h"
#include "signal/window.h"

namespace millwright::edge {

// What comes with a judge, fixed for its life.
struct JudgeFacts {
  Digest digest;  // of the bundle; names it in every record
  model::Threshold threshold;
  std::vector<signal::HealthReference> health;  // one per channel, or empty
  std::vector<std::string> feature_names;
  uint8_t provider = 0;  // index into model::kProviders
  size_t channels = 1;
  size_t length = 0;
  double rate_hz = 0.0;
  int64_t created_wall_ns = 0;  // when the model was trained; 0: nobody knows
};

struct Judgement {
  double raw = 0.0;                      // may be anything; the loop refuses what is not finite
  std::span<const float> contributions;  // one per feature, or empty; valid until the next call
};

class Judge {
 public:
  virtual ~Judge() = default;
  [[nodiscard]] virtual const JudgeFacts& facts() const = 0;
  // False: the model failed, error() says why until the next call. Same thread; neither allocates after the first call.
  [[nodiscard]] virtual bool judge(const signal::Window& window, Judgement& judgement) noexcept = 0;
  [[nodiscard]] virtual std::string_view error() const noexcept = 0;
  // What its features did, for the control thread, which keeps it beyond the judge; null where nobody gathers.
  [[nodiscard]] virtual std::shared_ptr<FeatureSummary> summary() const { return nullptr; }
};

}  // namespace millwright::edge
