// SPDX-License-Identifier: Apache-2.0
// Two models on the same samples: what a change to a model has cost, with an interval. The gate of quantising and
// pruning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lab/metrics.h"
#include "recording/dataset.h"

namespace millwright::lab {

enum class Metric {
  kAccuracy,   // share of samples whose largest output is the label's, in points of 100
  kAuc,        // of a detector's score against labels 0 and 1, in points of 100
  kRmse,       // root mean square of output minus label, in the label's unit; the drop is in % of the first model's
  kAgreement,  // without labels: share of samples on which both models say the same, in points of 100
};
std::string_view name(Metric metric);

struct CompareOptions {
  std::vector<double> labels;  // empty: agreement
  uint64_t seed = 1;           // of the bootstrap
  std::function<void(size_t done, size_t all)> progress;
};

struct Comparison {
  Metric metric = Metric::kAgreement;
  size_t n = 0;
  double metric_a = 0.0;
  double metric_b = 0.0;
  double drop = 0.0;  // what the second model has lost; below 0: it has won
  Interval drop_ci95;
  double agreement = 0.0;     // share of samples, 0 .. 1
  double max_abs_diff = 0.0;  // between any two outputs
};

// The metric follows from labels and outputs: a reconstruction (output of the input's shape) gives a score, its mean
// squared error; whole-number labels beside at least two outputs are classes; other labels are values. The same:
// the same largest output; for a score or a single value, within 2 % of the first model's. Paired interval: for
// accuracy A. Agresti and Y. Min, Statistics in Medicine 24 (2005) 729-740, else 1,000 bootstrap samples.
// kInvalidInput: the models differ in shape, or an output is not finite.
Result<Comparison> compare_models(std::span<const std::byte> a, std::span<const std::byte> b,
                                  recording::Dataset& samples, const CompareOptions& options = {});

}  // namespace millwright::lab
