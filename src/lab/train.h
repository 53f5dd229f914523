// SPDX-License-Identifier: Apache-2.0
// Learns normal running from recordings of it, no labels: one bundle comes out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "lab/windows.h"
#include "model/bundle.h"

namespace millwright::lab {

// Fewest windows that are trained from; their features are cross-validated in five folds.
inline constexpr size_t kMinimumTrainingWindows = 20;

// Called from the training thread; `done` of `total` steps are finished, `step` is what begins now.
using Progress = std::function<void(size_t done, size_t total, std::string_view step)>;

struct TrainOptions {
  std::vector<std::filesystem::path> recordings;  // files and folders of normal running
  std::string name = "model";                     // of the bundle
  std::string detector = "auto";                  // mahalanobis, pca, isolation-forest, nearest-neighbour or auto
  std::string features;                           // a built-in spec's name, or the path of a spec's JSON; empty: by
                                                  // shape (reference-64 or vibration where there is a rate, else curve)
  CutOptions cut;
  double false_alarm_rate = 0.001;  // per window
  uint64_t seed = 1;
  std::string tool = "millwright";  // for the lineage, with its version
  const Clock* clock = nullptr;     // for the lineage; nullptr: the system's
  Progress progress;                // may be empty
};

// `auto` cross-validates all four detectors and takes the one that best tells held-out normal rows from disturbed
// copies of them (selection.h); its trials stand in the report as "sensitivity_<detector>". The threshold comes from
// the cross-validated scores of all windows; the detector that is written has learned from all of them. The same files,
// options and clock give the same bundle. kInvalidInput, kNotFound and kIo, in one line that names the file and the
// place.
Result<model::Bundle> train(const TrainOptions& options);

// The same from windows that are at hand; `recordings` and `cut` of the options are not used. `spec` has their shape.
Result<model::Bundle> train_on(const WindowSet& windows, const signal::FeatureSpec& spec, const TrainOptions& options);

}  // namespace millwright::lab
