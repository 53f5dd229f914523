// SPDX-License-Identifier: Apache-2.0
// How well a bundle tells recordings known to be normal from recordings known not to be.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/metrics.h"
#include "lab/score.h"
#include "model/bundle.h"

namespace millwright::lab {

struct EvaluateOptions {
  std::vector<std::filesystem::path> normal;
  std::vector<std::filesystem::path> anomalous;
  recording::ReadOptions reading;
  std::optional<size_t> hop;
  double strokes_per_minute = 18.0;  // what a window stands for, to give false alarms per shift
  double shift_hours = 8.0;
};

// Windows until the first alert in one anomalous file: 0 where the first window alerts.
struct Detection {
  std::filesystem::path file;
  std::optional<size_t> delay_windows;  // nullopt: never
  std::optional<double> delay_s;        // where the recording has a rate
};

struct Evaluation {
  double auc = 0.0;
  Interval auc_ci95;
  double partial_auc = 0.0;  // false alarms up to 10 %, standardised
  Confusion confusion;       // at the bundle's threshold
  Interval tpr_ci95;
  Interval fpr_ci95;
  double threshold = 0.0;  // raw
  size_t normal = 0;       // windows
  size_t anomalous = 0;
  double false_alarms_per_shift = 0.0;
  std::vector<Detection> detections;  // one per anomalous file
};

// Windows cut from one recording are not independent: the intervals treat them as if they were, and are too narrow
// where windows overlap or a recording is homogeneous.
Result<Evaluation> evaluate(const model::Bundle& bundle, const EvaluateOptions& options);
Evaluation evaluate(const model::Threshold& threshold, const std::vector<ScoredWindow>& normal,
                    const std::vector<ScoredWindow>& anomalous, const EvaluateOptions& options);

// auc, auc_ci95, partial_auc, tpr, tpr_ci95, fpr, fpr_ci95, f1, threshold, n_normal, n_anomalous,
// false_alarms_per_shift, detection_delay (list of file, windows, seconds; null where never).
std::string to_json(const Evaluation& evaluation);

}  // namespace millwright::lab
