// SPDX-License-Identifier: Apache-2.0
#include "lab/evaluate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace millwright::lab {
namespace {

std::vector<double> raw_scores(const std::vector<ScoredWindow>& windows) {
  std::vector<double> raw;
  raw.reserve(windows.size());
  for (const ScoredWindow& w : windows) raw.push_back(w.raw);
  return raw;
}

std::vector<Detection> find_detections(const std::vector<ScoredWindow>& anomalous) {
  std::vector<Detection> detections;
  for (const ScoredWindow& w : anomalous) {
    if (detections.empty() || detections.back().file != w.file) {
      detections.push_back({.file = w.file, .delay_windows = {}, .delay_s = {}});
    }
    Detection& d = detections.back();
    if (w.is_alert && !d.delay_windows) {
      d.delay_windows = w.window;
      if (w.window == 0 || w.start_s > 0.0) d.delay_s = w.start_s;
    }
  }
  return detections;
}

}  // namespace

Evaluation evaluate(const model::Threshold& threshold, const std::vector<ScoredWindow>& normal,
                    const std::vector<ScoredWindow>& anomalous, const EvaluateOptions& options) {
  const std::vector<double> low = raw_scores(normal);
  const std::vector<double> high = raw_scores(anomalous);
  Evaluation e;
  e.auc = auc(low, high);
  e.auc_ci95 = auc_ci95(low, high);
  e.partial_auc = partial_auc(low, high, 0.1);
  for (const ScoredWindow& w : normal) e.confusion.count(false, w.is_alert);
  for (const ScoredWindow& w : anomalous) e.confusion.count(true, w.is_alert);
  e.tpr_ci95 = share_ci95(e.confusion.true_positive, high.size());
  e.fpr_ci95 = share_ci95(e.confusion.false_positive, low.size());
  e.threshold = threshold.threshold;
  e.normal = normal.size();
  e.anomalous = anomalous.size();
  e.false_alarms_per_shift = e.confusion.fpr() * options.strokes_per_minute * 60.0 * options.shift_hours;
  e.detections = find_detections(anomalous);
  return e;
}

Result<Evaluation> evaluate(const model::Bundle& bundle, const EvaluateOptions& options) {
  const auto scored = [&](const std::vector<std::filesystem::path>& paths) {
    return score(bundle, {.recordings = paths, .reading = options.reading, .hop = options.hop});
  };
  const std::vector<ScoredWindow> normal = MW_TRY_IN("normal", scored(options.normal));
  const std::vector<ScoredWindow> anomalous = MW_TRY_IN("anomalous", scored(options.anomalous));
  if (normal.empty() || anomalous.empty()) {
    return fail(ErrorCode::kInvalidInput, "an evaluation needs at least one normal and one anomalous window");
  }
  return evaluate(bundle.threshold, normal, anomalous, options);
}

std::string to_json(const Evaluation& e) {
  using Json = nlohmann::ordered_json;
  const auto pair = [](const Interval& i) { return Json::array({i.low, i.high}); };
  Json delays = Json::array();
  for (const Detection& d : e.detections) {
    Json item = {{"file", d.file.string()}, {"windows", nullptr}, {"seconds", nullptr}};
    if (d.delay_windows) item["windows"] = *d.delay_windows;
    if (d.delay_s) item["seconds"] = *d.delay_s;
    delays.push_back(item);
  }
  const Json json = {{"auc", e.auc},
                     {"auc_ci95", pair(e.auc_ci95)},
                     {"partial_auc", e.partial_auc},
                     {"tpr", e.confusion.tpr()},
                     {"tpr_ci95", pair(e.tpr_ci95)},
                     {"fpr", e.confusion.fpr()},
                     {"fpr_ci95", pair(e.fpr_ci95)},
                     {"f1", e.confusion.f1()},
                     {"threshold", e.threshold},
                     {"n_normal", e.normal},
                     {"n_anomalous", e.anomalous},
                     {"false_alarms_per_shift", e.false_alarms_per_shift},
                     {"detection_delay", delays}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace millwright::lab
