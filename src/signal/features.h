// SPDX-License-Identifier: Apache-2.0
// Turns windows into features, as a FeatureSpec says: on the workstation and on the box with this one piece of code.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/error.h"
#include "signal/feature_spec.h"
#include "signal/window.h"

namespace millwright::signal {

// Holds plans, tables and scratch memory. One per thread; extract() neither allocates, locks nor fails.
class FeatureExtractor {
 public:
  static Result<FeatureExtractor> create(const FeatureSpec& spec);
  ~FeatureExtractor();
  FeatureExtractor(FeatureExtractor&&) noexcept;
  FeatureExtractor& operator=(FeatureExtractor&&) noexcept;

  // `window` has the spec's shape and finite samples; `out` has feature_count() floats. A window of another shape is
  // a bug of the caller. A constant window yields finite features (0 where a ratio would be 0/0).
  void extract(const Window& window, std::span<float> out);

  // windows.size() windows, each feature_count() floats in `out`, row after row: the micro-batch of many channels.
  // Neither allocates, locks nor fails. Sixteen channels at a time run side by side, except for curves and for windows
  // beyond 8,192 samples; sums are then taken in another order than by extract(), so that features may differ from
  // it by 1e-5 relative.
  void extract_batch(std::span<const Window> windows, std::span<float> out);

  [[nodiscard]] size_t feature_count() const;
  [[nodiscard]] const FeatureSpec& spec() const;

 private:
  struct Plan;
  explicit FeatureExtractor(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

}  // namespace millwright::signal
