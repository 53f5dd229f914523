// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "base/files.h"
#include "inference/latency.h"
#include "inference/trial.h"
#include "model/bundle.h"
#include "model/json_fields.h"
#include "recording/recording.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

constexpr double kWindowsRateHz = 10'000.0;
constexpr size_t kWindowsLength = 2'000;

struct Options {
  std::filesystem::path file;
  std::filesystem::path windows;
  std::filesystem::path model;
  std::string features = "reference-64";
  inference::LatencyOptions latency;
  double budget_ms = 0.0;
  bool as_json = false;
};

Result<inference::LatencyReport> bench_file(const Options& options) {
  const Bytes bytes = MW_TRY(read_file(options.file, model::kMaxBundleBytes));
  if (as_text(bytes).starts_with("MWBUNDLE")) {
    const model::Bundle bundle = MW_TRY_IN(options.file.string(), model::decode_bundle(bytes));
    (void)MW_TRY_IN(options.file.string(), inference::try_bundle(bundle));
    auto scorer = MW_TRY_IN(options.file.string(), inference::Scorer::create(bundle));
    // Random samples rather than zeros, which some kernels treat kindly.
    const signal::FeatureSpec& spec = bundle.features;
    std::vector<float> samples(spec.channels * spec.length);
    for (size_t i = 0; i < samples.size(); ++i)
      samples[i] = static_cast<float>((i * 2'654'435'761U) % 2'001) / 1'000.0F - 1.0F;
    return MW_TRY_IN(
        options.file.string(),
        inference::measure_scorer(scorer, {samples, spec.channels, spec.length, spec.rate_hz}, options.latency));
  }
  (void)MW_TRY_IN(options.file.string(), inference::try_model(bytes));
  auto session = MW_TRY_IN(options.file.string(), inference::Session::create(bytes, 1));
  return MW_TRY_IN(options.file.string(), inference::measure_session(session, options.latency));
}

json to_json(const inference::LatencyReport& report) {
  return {{"mean_ms", report.ms.mean},
          {"p50_ms", report.ms.p50},
          {"p95_ms", report.ms.p95},
          {"p99_ms", report.ms.p99},
          {"p999_ms", report.ms.p999},
          {"p999_proven", report.p999_proven},
          {"max_ms", report.ms.max},
          {"throughput_per_s", report.throughput_per_s},
          {"n", report.n},
          {"provider", report.provider},
          {"empty_loop_p99_ms", report.empty_ms.p99},
          {"empty_loop_max_ms", report.empty_ms.max}};
}

Result<int> bench_one(const Options& options) {
  const inference::LatencyReport report = MW_TRY(bench_file(options));
  const bool in_budget = options.budget_ms <= 0.0 || report.ms.p99 <= options.budget_ms;
  if (options.as_json) {
    json out = to_json(report);
    if (options.budget_ms > 0.0) {
      out["budget_ms"] = options.budget_ms;
      out["in_budget"] = in_budget;
    }
    fmt::print("{}\n", model::json_line(out));
  } else {
    fmt::print("{} on {}: n {}\n", options.file.string(), report.provider, report.n);
    fmt::print("  mean {:.4f}  P50 {:.4f}  P95 {:.4f}  P99 {:.4f}  P99.9 {:.4f}{}  max {:.4f} ms; {:.0f} a second\n",
               report.ms.mean, report.ms.p50, report.ms.p95, report.ms.p99, report.ms.p999,
               report.p999_proven ? "" : " (unproven below 100,000 runs)", report.ms.max, report.throughput_per_s);
    fmt::print("  an empty loop beside it: P99 {:.4f}, max {:.4f} ms\n", report.empty_ms.p99, report.empty_ms.max);
    if (options.budget_ms > 0.0)
      fmt::print("  P99 against the budget of {} ms: {}\n", options.budget_ms, in_budget ? "held" : "MISSED");
  }
  return in_budget ? 0 : 1;
}

Result<int> bench_windows(const Options& options) {
  const auto spec =
      MW_TRY_IN(options.features, signal::FeatureSpec::named(options.features, 1, kWindowsLength, kWindowsRateHz));
  const Bytes model = MW_TRY(read_file(options.model, model::kMaxBundleBytes));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(model));
  const auto recording = MW_TRY(recording::read_recording(options.windows, {.rate_hz = kWindowsRateHz}));
  const inference::FeatureModel foreign{
      .model = model, .kind = model::ScoreKind::kReconstruction, .feature_count = spec.feature_count()};
  const auto report = MW_TRY_IN(options.model.string(), inference::bench_windows(spec, foreign, recording.samples));
  if (options.as_json) {
    const json out = {{"windows", report.windows},
                      {"windows_per_s", report.windows_per_s},
                      {"p50_us", report.us.p50},
                      {"p95_us", report.us.p95},
                      {"p99_us", report.us.p99},
                      {"single_p50_us", report.single_us.p50},
                      {"single_p99_us", report.single_us.p99},
                      {"score_mean", report.score_mean},
                      {"score_0", report.score_0},
                      {"provider", report.provider}};
    fmt::print("{}\n", model::json_line(out));
  } else {
    fmt::print(
        "{:.0f} windows a second on one thread; per window P50 {:.2f}, P95 {:.2f}, P99 {:.2f} us; one at a time P50 "
        "{:.2f} us\n",
        report.windows_per_s, report.us.p50, report.us.p95, report.us.p99, report.single_us.p50);
    fmt::print("scores: mean {:.6g}, first {:.6g}\n", report.score_mean, report.score_0);
  }
  return 0;
}

Result<int> bench(const Options& options) {
  if (options.windows.empty() != options.model.empty() || options.windows.empty() == options.file.empty()) {
    return fail(ErrorCode::kInvalidInput,
                "bench: name either one FILE.onnx or FILE.bundle, or --windows and --model together");
  }
  return options.windows.empty() ? bench_one(options) : bench_windows(options);
}

}  // namespace

Command bench_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "bench", "how long a model takes here: percentiles with n, against a budget (exit 1 where P99 misses it)");
  app->add_option("file", options->file, "a .onnx or .bundle file");
  app->add_option("--iterations", options->latency.iterations, "measured runs")->capture_default_str();
  app->add_option("--warmup", options->latency.warmup, "runs before")->capture_default_str();
  app->add_option("--budget-ms", options->budget_ms, "limit for P99");
  app->add_option("--windows", options->windows, "raw float32 windows of 2,000 samples at 10 kHz");
  app->add_option("--model", options->model, "an autoencoder over their features");
  app->add_option("--features", options->features, "the feature spec")->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return bench(*options); }};
}

}  // namespace millwright::apps
