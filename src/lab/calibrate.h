// SPDX-License-Identifier: Apache-2.0
// Which values activations take, measured on samples, in the memory of one sample.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "base/error.h"
#include "lab/clip_range.h"
#include "onnx/graph.h"
#include "recording/dataset.h"

namespace millwright::lab {

using Ranges = std::map<std::string, Range, std::less<>>;

struct CalibrationOptions {
  CalibrationMethod method = CalibrationMethod::kEntropy;
  double percentile = kCalibrationPercentile;
  // How far it is: samples read, of all passes.
  std::function<void(size_t done, size_t all)> progress;
};

// One pass over the samples for the extremes; a second one, for all methods but min-max, for a histogram of
// kCalibrationBins between them. Equal inputs give equal ranges. `activations` are inputs of the graph or values whose
// type and shape it states. kInvalidInput: no samples, samples that do not fit the model, or an activation that is not
// finite, named with its sample.
Result<Ranges> calibrate(const onnx::Graph& graph, std::span<const std::string> activations,
                         recording::Dataset& samples, const CalibrationOptions& options = {});

// The graph with these values as outputs beside its own, so that they can be looked at.
onnx::Graph with_outputs(const onnx::Graph& graph, std::span<const std::string> values);

}  // namespace millwright::lab
