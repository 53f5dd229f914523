// SPDX-License-Identifier: Apache-2.0
// The features of sixteen channels' windows at once, for batches. Spectra and time features of short windows only: long
// ones would leave the cache, and order statistics of curves do not run in lanes.
#pragma once

#include <memory>
#include <span>

#include "signal/feature_spec.h"
#include "signal/rows.h"

namespace millwright::signal {

class RowFeatures {
 public:
  // Null where the spec does not suit: windows are then taken one at a time. `spec` is valid.
  static std::unique_ptr<RowFeatures> create(const FeatureSpec& spec);
  ~RowFeatures();
  RowFeatures(const RowFeatures&) = delete;
  RowFeatures& operator=(const RowFeatures&) = delete;

  // 1 to kRowLanes channels of spec.length samples each; outs[i] takes the features of channels[i]. Nothing is
  // allocated.
  void compute(std::span<const float* const> channels, std::span<float* const> outs);

 private:
  struct Plan;
  explicit RowFeatures(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

}  // namespace millwright::signal
