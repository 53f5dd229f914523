// SPDX-License-Identifier: Apache-2.0
#include "lab/evaluate.h"

#include <cstdio>
#include <memory>

#include "apps/millwright/command.h"
#include "apps/millwright/open_bundle.h"
#include "apps/millwright/reading_flags.h"

namespace millwright::apps {
namespace {

struct Options {
  std::filesystem::path bundle;
  lab::EvaluateOptions evaluate;
  ReadingFlags reading;
  size_t hop = 0;
  bool as_json = false;
};

void print_text(const lab::Evaluation& e, const lab::EvaluateOptions& options) {
  fmt::print("AUC {:.4f} (95 % interval {:.4f} to {:.4f}), partial AUC up to 10 % false alarms {:.4f}\n", e.auc,
             e.auc_ci95.low, e.auc_ci95.high, e.partial_auc);
  if (e.auc_ci95.high < 0.5)
    fmt::print("anomalous windows score below normal ones: are --normal and --anomalous swapped?\n");
  fmt::print(
      "at the threshold {:.4g}: found {:.1f} %, false alarms {:.2f} %, F1 {:.4f}; {:.1f} false alarms a shift "
      "of {} h at {} strokes a minute\n",
      e.threshold, 100.0 * e.confusion.tpr(), 100.0 * e.confusion.fpr(), e.confusion.f1(), e.false_alarms_per_shift,
      options.shift_hours, options.strokes_per_minute);
  fmt::print("{} normal and {} anomalous windows\n", e.normal, e.anomalous);
  for (const auto& detection : e.detections) {
    fmt::print("  {}: {}\n", detection.file.string(),
               detection.delay_windows ? fmt::format("first alert after {} windows", *detection.delay_windows)
                                       : "never alerted");
  }
}

Result<int> evaluate(Options& options) {
  const model::LoadedBundle loaded = MW_TRY(open_bundle(options.bundle));
  options.evaluate.reading = options.reading.options();
  options.evaluate.hop = if_given(options.hop);
  const lab::Evaluation evaluation = MW_TRY(lab::evaluate(loaded.bundle, options.evaluate));
  if (options.as_json) {
    fmt::print("{}\n", lab::to_json(evaluation));
  } else {
    print_text(evaluation, options.evaluate);
  }
  return 0;
}

}  // namespace

Command evaluate_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("evaluate", "how well a bundle tells normal recordings from anomalous ones");
  app->add_option("bundle", options->bundle, "the bundle")->required();
  app->add_option("--normal", options->evaluate.normal, "files or folders known to be normal")->required();
  app->add_option("--anomalous", options->evaluate.anomalous, "files or folders known not to be")->required();
  app->add_option("--hop", options->hop, "samples from window to window (default: the window)")
      ->check(CLI::PositiveNumber);
  app->add_option("--strokes-per-minute", options->evaluate.strokes_per_minute, "to count false alarms per shift")
      ->capture_default_str();
  app->add_option("--shift-hours", options->evaluate.shift_hours, "length of a shift")->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  options->reading.add_to(*app);
  return {app, [options] { return evaluate(*options); }};
}

}  // namespace millwright::apps
