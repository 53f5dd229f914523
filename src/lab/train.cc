// SPDX-License-Identifier: Apache-2.0
#include "lab/train.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "lab/detector.h"
#include "lab/folds.h"
#include "lab/run_model.h"
#include "lab/selection.h"
#include "lab/threshold.h"
#include "signal/health.h"

namespace millwright::lab {
namespace {

constexpr size_t kGoldenNormal = 24;
constexpr size_t kGoldenDisturbed = 8;
constexpr Eigen::Index kGoldenWindows = 2;
constexpr uint64_t kMaxSpecBytes = 256 << 10;

class Steps {
 public:
  Steps(const Progress& progress, size_t total) : progress_(progress), total_(total) {}
  void begin(std::string_view step) {
    if (progress_) progress_(std::min(done_, total_), total_, step);
    ++done_;
  }

 private:
  const Progress& progress_;
  size_t total_;
  size_t done_ = 0;
};

Result<std::vector<DetectorKind>> kinds_to_try(const std::string& detector) {
  if (detector == "auto") return std::vector<DetectorKind>(std::begin(kDetectorKinds), std::end(kDetectorKinds));
  if (const auto kind = detector_from(detector)) return std::vector<DetectorKind>{*kind};
  return fail(ErrorCode::kInvalidInput,
              "no detector is named '{}'; there are mahalanobis, pca, isolation-forest, nearest-neighbour and auto",
              detector);
}

Result<signal::FeatureSpec> choose_spec(const std::string& features, const WindowSet& windows) {
  signal::FeatureSpec spec;
  if (features.find('/') != std::string::npos || features.ends_with(".json")) {
    const std::string text = MW_TRY(read_text_file(features, kMaxSpecBytes));
    spec = MW_TRY_IN(features, signal::FeatureSpec::parse_json(text));
  } else {
    std::string name = features;
    if (name.empty()) {
      const bool reference = windows.length == 2000 && windows.rate_hz == 10'000.0;
      name = windows.rate_hz > 0.0 ? (reference ? "reference-64" : "vibration") : "curve";
    }
    spec = MW_TRY(signal::FeatureSpec::named(name, windows.channels, windows.length, windows.rate_hz));
  }
  if (spec.rate_hz > 0.0 && windows.rate_hz > 0.0 && std::abs(spec.rate_hz / windows.rate_hz - 1.0) > 1e-3) {
    return fail(ErrorCode::kInvalidInput, "features {} are for {} Hz, but {} has {} Hz", spec.name, spec.rate_hz,
                windows.files.front().string(), windows.rate_hz);
  }
  if (spec.channel_names.empty()) spec.channel_names = windows.channel_names;
  MW_CHECK_OK(spec.validate());
  return spec;
}

std::vector<signal::HealthReference> learn_references(const WindowSet& windows) {
  std::vector<signal::HealthReference> references;
  std::vector<float> channel(windows.size() * windows.length);
  for (size_t c = 0; c < windows.channels; ++c) {
    for (size_t i = 0; i < windows.size(); ++i) {
      std::ranges::copy(windows.window(i).channel(c),
                        channel.begin() + static_cast<std::ptrdiff_t>(i * windows.length));
    }
    references.push_back(signal::learn_health(channel, windows.length, windows.rate_hz));
  }
  return references;
}

// Normal rows spread over the recordings, and some disturbed ones, with the scores that the model gives here.
// The first of them, which are normal ones, come with their windows.
Status add_golden_vectors(const WindowSet& windows, const Rows& rows, uint64_t seed, model::Bundle& bundle) {
  const Rows disturbed = disturb(rows, rows, seed);
  Rows chosen(static_cast<Eigen::Index>(kGoldenNormal + kGoldenDisturbed), rows.cols());
  for (Eigen::Index i = 0; i < chosen.rows(); ++i) {
    const Eigen::Index from = i * (rows.rows() - 1) / (chosen.rows() - 1);
    chosen.row(i) = i % 4 == 3 ? disturbed.row(from) : rows.row(from);
    if (i >= kGoldenWindows) continue;
    const std::span<const float> samples = windows.window(static_cast<size_t>(from)).samples;
    bundle.golden.windows.insert(bundle.golden.windows.end(), samples.begin(), samples.end());
  }
  const ModelRun run = MW_TRY(run_model(bundle, chosen));
  bundle.golden.features.assign(chosen.data(), chosen.data() + chosen.size());
  bundle.golden.expected.assign(run.raw.begin(), run.raw.end());
  // Small against what separates normal from the threshold, whatever unit the score has.
  const double span = bundle.threshold.threshold - bundle.threshold.offset;
  bundle.golden.tolerance_absolute = std::min(bundle.golden.tolerance_absolute, 1e-3 * span);
  return {};
}

void write_report(const WindowSet& windows, std::span<const Trial> trials, const Trial& chosen, const ThresholdFit& fit,
                  std::map<std::string, double>& report) {
  const auto alerts = std::ranges::count_if(chosen.held_out, [&](double s) { return fit.threshold.is_alert(s); });
  const Interval seen = share_ci95(static_cast<uint64_t>(alerts), chosen.held_out.size());
  report["windows"] = static_cast<double>(windows.size());
  report["files"] = static_cast<double>(windows.files.size());
  report["held_out_alerts"] = static_cast<double>(alerts);
  report["held_out_false_alarm_rate_ci95_high"] = seen.high;
  report["false_alarm_rate_ci95_low"] = fit.rate_ci95.low;
  report["false_alarm_rate_ci95_high"] = fit.rate_ci95.high;
  // Below this rate the threshold rests on the fitted shape of the tail, not on windows that were seen.
  report["false_alarm_rate_shown_by_data"] = fit.shown_rate;
  for (const Trial& trial : trials) report["sensitivity_" + std::string(name(trial.kind))] = trial.sensitivity;
}

Status check_count(const WindowSet& windows, std::span<const Fold> folds) {
  if (windows.size() < kMinimumTrainingWindows) {
    return fail(ErrorCode::kInvalidInput, "{}: {} window(s) are too few to learn from; record at least {}",
                windows.files.front().string(), windows.size(), kMinimumTrainingWindows);
  }
  for (const Fold& fold : folds) {
    if (fold.train.size() < static_cast<size_t>(kMinimumRows)) {
      return fail(ErrorCode::kInvalidInput,
                  "{}: {} windows overlap so much that too few are left to learn from; record more, or widen --hop",
                  windows.files.front().string(), windows.size());
    }
  }
  return {};
}

}  // namespace

Result<model::Bundle> train(const TrainOptions& options) {
  MW_TRY(kinds_to_try(options.detector));  // a misspelt name is told before the files are read
  if (options.progress) options.progress(0, 1, "reading recordings");
  const WindowSet windows = MW_TRY(load_windows(options.recordings, options.cut));
  const signal::FeatureSpec spec = MW_TRY(choose_spec(options.features, windows));
  return train_on(windows, spec, options);
}

Result<model::Bundle> train_on(const WindowSet& windows, const signal::FeatureSpec& spec, const TrainOptions& options) {
  const std::vector<DetectorKind> kinds = MW_TRY(kinds_to_try(options.detector));
  const std::vector<Fold> folds = blocked_folds(windows, options.seed);
  MW_CHECK_OK(check_count(windows, folds));

  Steps steps(options.progress, kinds.size() + 3);
  steps.begin("extracting features");
  model::Bundle bundle;
  bundle.name = options.name;
  bundle.features = spec;
  const std::vector<float> features = MW_TRY(extract_features(spec, windows));
  const Eigen::Map<const Rows> rows(features.data(), static_cast<Eigen::Index>(windows.size()),
                                    static_cast<Eigen::Index>(spec.feature_count()));

  std::vector<Trial> trials;
  for (const DetectorKind kind : kinds) {
    steps.begin(name(kind));
    trials.push_back(try_detector(kind, rows, folds, options.seed));
  }
  const Trial& chosen = choose(trials);

  steps.begin("setting the threshold");
  const ThresholdFit fit =
      MW_TRY(fit_threshold(chosen.held_out, {.false_alarm_rate = options.false_alarm_rate, .seed = options.seed}));
  bundle.threshold = fit.threshold;
  bundle.health = learn_references(windows);
  bundle.model = MW_TRY(train_detector(chosen.kind, rows, options.seed)->to_onnx());

  steps.begin("making golden vectors");
  MW_CHECK_OK(add_golden_vectors(windows, rows, options.seed, bundle));
  write_report(windows, trials, chosen, fit, bundle.report);
  const SystemClock system;
  const Clock& clock = options.clock != nullptr ? *options.clock : system;
  bundle.lineage = {.created_utc = format_utc(clock.wall_ns()),
                    .tool = options.tool,
                    .detector = std::string(name(chosen.kind)),
                    .data_digest = data_digest(windows),
                    .parent = {},
                    .seed = options.seed,
                    .training_windows = windows.size()};
  return bundle;
}

}  // namespace millwright::lab
