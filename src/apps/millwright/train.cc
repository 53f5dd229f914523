// SPDX-License-Identifier: Apache-2.0
#include "lab/train.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/reading_flags.h"
#include "base/files.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  lab::TrainOptions train;
  ReadingFlags reading;
  size_t window = 0;
  size_t hop = 0;
  size_t resample = 0;
  std::filesystem::path out;
  bool as_json = false;
};

json to_json(const Options& options, const model::Bundle& bundle, const Digest& digest) {
  return {{"bundle", options.out.string()},
          {"sha256", digest.hex()},
          {"name", bundle.name},
          {"detector", bundle.lineage.detector},
          {"features", bundle.features.name},
          {"feature_count", bundle.features.feature_count()},
          {"training_windows", bundle.lineage.training_windows},
          {"threshold", bundle.threshold.threshold},
          {"threshold_ci95", {bundle.threshold.ci95_low, bundle.threshold.ci95_high}},
          {"false_alarm_rate", bundle.threshold.false_alarm_rate},
          {"held_out_windows", bundle.threshold.held_out_windows},
          {"method", bundle.threshold.method},
          {"data_digest", bundle.lineage.data_digest},
          {"seed", bundle.lineage.seed},
          {"report", bundle.report}};
}

void print_text(const Options& options, const model::Bundle& bundle, const Digest& digest) {
  const model::Threshold& t = bundle.threshold;
  fmt::print("wrote {} (sha256 {})\n", options.out.string(), digest.hex());
  fmt::print("  {} windows, {} {} features, detector {}\n", bundle.lineage.training_windows,
             bundle.features.feature_count(), bundle.features.name, bundle.lineage.detector);
  fmt::print(
      "  threshold {:.4g} (95 % interval {:.4g} to {:.4g}) for {:g} false alarms a window, from {} held-out windows "
      "({})\n",
      t.threshold, t.ci95_low, t.ci95_high, t.false_alarm_rate, t.held_out_windows, t.method);
  fmt::print("  the rate to expect lies between {:.2g} and {:.2g} (95 %){}\n",
             bundle.report.at("false_alarm_rate_ci95_low"), bundle.report.at("false_alarm_rate_ci95_high"),
             t.false_alarm_rate < bundle.report.at("false_alarm_rate_shown_by_data")
                 ? "; so low a rate rests on the shape of the tail: more windows narrow it"
                 : "");
}

Result<int> train(Options& options) {
  options.train.cut = {.reading = options.reading.options(),
                       .window = if_given(options.window),
                       .hop = if_given(options.hop),
                       .resample = if_given(options.resample)};
  options.train.tool = "millwright " MILLWRIGHT_VERSION;
  if (options.train.name.empty()) options.train.name = options.out.stem().string();
  if (::isatty(STDERR_FILENO) == 1) {
    options.train.progress = [](size_t done, size_t total, std::string_view step) {
      fmt::print(stderr, "\r\033[K  {}/{} {}{}", done, total, step, done == total ? "\n" : "");
      std::fflush(stderr);
    };
  }
  const model::Bundle bundle = MW_TRY(lab::train(options.train));
  const Bytes bytes = MW_TRY(model::encode_bundle(bundle));
  MW_CHECK_OK(write_file_atomic(options.out, bytes));
  if (bundle.features.rate_hz <= 0.0) {
    fmt::print(stderr, "millwright: no rate is known: the axis is not taken for time; for vibration give --rate\n");
  }
  const Digest digest = sha256(bytes);
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(to_json(options, bundle, digest)));
  } else {
    print_text(options, bundle, digest);
  }
  return 0;
}

}  // namespace

Command train_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  options->train.name.clear();
  CLI::App* app = program.add_subcommand("train", "learn normal running from recordings of it; no labels are needed");
  app->add_option("--recordings", options->train.recordings, "files or folders: .npy .csv .wav .mat .f32 .i16")
      ->required();
  app->add_option("--out", options->out, "the bundle to write")->required();
  app->add_option("--name", options->train.name, "the bundle's name (default: that of the file)");
  app->add_option("--detector", options->train.detector, "how normal is described")
      ->check(CLI::IsMember({"mahalanobis", "pca", "isolation-forest", "nearest-neighbour", "auto"}))
      ->capture_default_str();
  app->add_option("--features", options->train.features,
                  "reference-64, vibration, curve, curve-statistics, statistics or the path of a spec's JSON (default: "
                  "by the windows' shape)");
  app->add_option("--window", options->window, "samples per window, for long recordings")->check(CLI::PositiveNumber);
  app->add_option("--hop", options->hop, "samples from window to window (default: the window)")
      ->check(CLI::PositiveNumber);
  app->add_option("--resample", options->resample, "stretch every window to this many points: the axis is not time")
      ->check(CLI::PositiveNumber);
  app->add_option("--false-alarm-rate", options->train.false_alarm_rate, "false alarms per normal window")
      ->check(CLI::Range(1e-9, 0.5))
      ->capture_default_str();
  app->add_option("--seed", options->train.seed, "of everything random")->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  options->reading.add_to(*app);
  return {app, [options] { return train(*options); }};
}

}  // namespace millwright::apps
