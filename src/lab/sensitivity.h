// SPDX-License-Identifier: Apache-2.0
// What each layer's channels are worth, measured: one group of layers pruned at a time, the rest whole.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/compare.h"
#include "lab/prune.h"
#include "recording/dataset.h"

namespace millwright::lab {

struct SensitivityStep {
  double ratio = 0.0;
  size_t removed = 0;  // channels
  double drop = 0.0;   // in the metric's points
};

struct GroupSensitivity {
  std::string group;                // its first layer
  std::vector<std::string> layers;  // all: they share channels
  size_t channels = 0;
  std::vector<SensitivityStep> steps;  // ascending; none: nothing can be taken out
};

struct Sensitivity {
  Metric metric = Metric::kAgreement;
  double metric_before = 0.0;
  std::vector<GroupSensitivity> groups;
};

struct SensitivityOptions {
  PruneOptions prune;  // its ratio is not used
  std::vector<double> ratios = {0.1, 0.3, 0.5, 0.7};
  std::vector<double> labels;                             // empty: agreement
  std::function<void(size_t done, size_t all)> progress;  // variants of the model
};

// Each variant runs on all validation samples: groups times ratios of them. Errors as prune() and compare_models().
Result<Sensitivity> scan_sensitivity(std::span<const std::byte> model, recording::Dataset& validation,
                                     const SensitivityOptions& options);

}  // namespace millwright::lab
