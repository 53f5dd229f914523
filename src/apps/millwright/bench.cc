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
  std::vector<std::filesystem::path> files;
  std::filesystem::path windows;
  std::filesystem::path model;
  std::string features = "reference-64";
  inference::LatencyOptions latency;
  double budget_ms = 0.0;
  bool as_json = false;
};

// The same on every run.
void fill_random(std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 2'654'435'761U) % 2'001) / 1'000.0F - 1.0F;
}

Result<inference::Session> open_model(const std::filesystem::path& file, const Bytes& bytes) {
  (void)MW_TRY_IN(file.string(), inference::try_model(bytes));
  auto session = MW_TRY_IN(file.string(), inference::Session::create(bytes, 1));
  // Random inputs rather than zeros, which some kernels treat kindly.
  for (size_t i = 0; i < session.inputs().size(); ++i) {
    if (session.inputs()[i].type != onnx::ElementType::kFloat) continue;
    fill_random(session.input_floats(i));
  }
  return session;
}

Result<inference::LatencyReport> bench_file(const Options& options) {
  const std::filesystem::path& file = options.files.front();
  const Bytes bytes = MW_TRY(read_file(file, model::kMaxBundleBytes));
  if (as_text(bytes).starts_with("MWBUNDLE")) {
    const model::Bundle bundle = MW_TRY_IN(file.string(), model::decode_bundle(bytes));
    (void)MW_TRY_IN(file.string(), inference::try_bundle(bundle));
    auto scorer = MW_TRY_IN(file.string(), inference::Scorer::create(bundle));
    const signal::FeatureSpec& spec = bundle.features;
    std::vector<float> samples(spec.channels * spec.length);
    fill_random(samples);
    return MW_TRY_IN(file.string(), inference::measure_scorer(
                                        scorer, {samples, spec.channels, spec.length, spec.rate_hz}, options.latency));
  }
  auto session = MW_TRY(open_model(file, bytes));
  return MW_TRY_IN(file.string(), inference::measure_session(session, options.latency));
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
    fmt::print("{} on {}: n {}\n", options.files.front().string(), report.provider, report.n);
    fmt::print("  mean {:.4f}  P50 {:.4f}  P95 {:.4f}  P99 {:.4f}  P99.9 {:.4f}{}  max {:.4f} ms; {:.0f} a second\n",
               report.ms.mean, report.ms.p50, report.ms.p95, report.ms.p99, report.ms.p999,
               report.p999_proven ? "" : " (unproven below 100,000 runs)", report.ms.max, report.throughput_per_s);
    fmt::print("  an empty loop beside it: P99 {:.4f}, max {:.4f} ms\n", report.empty_ms.p99, report.empty_ms.max);
    if (options.budget_ms > 0.0)
      fmt::print("  P99 against the budget of {} ms: {}\n", options.budget_ms, in_budget ? "held" : "MISSED");
  }
  return in_budget ? 0 : 1;
}

// Several models, one call of each in turn; ratio: how many times faster than the first, by the medians.
Result<int> bench_several(const Options& options) {
  std::vector<inference::Session> sessions;
  for (const auto& file : options.files) {
    const Bytes bytes = MW_TRY(read_file(file, model::kMaxBundleBytes));
    if (as_text(bytes).starts_with("MWBUNDLE")) {
      return fail(ErrorCode::kInvalidInput, "{}: several are compared as .onnx; a bundle is measured alone",
                  file.string());
    }
    sessions.push_back(MW_TRY(open_model(file, bytes)));
  }
  const auto reports = MW_TRY(inference::measure_sessions(sessions, options.latency));
  bool in_budget = true;
  json list = json::array();
  for (size_t i = 0; i < reports.size(); ++i) {
    json one = to_json(reports[i]);
    one["file"] = options.files[i].string();
    one["ratio_p50"] = reports.front().ms.p50 / reports[i].ms.p50;
    in_budget = in_budget && (options.budget_ms <= 0.0 || reports[i].ms.p99 <= options.budget_ms);
    list.push_back(std::move(one));
  }
  if (options.as_json) {
    fmt::print("{}\n", model::json_line({{"models", list}}));
    return in_budget ? 0 : 1;
  }
  fmt::print("n {} each, one call of each in turn, on {}\n", reports.front().n, reports.front().provider);
  fmt::print("{:>9} {:>9} {:>9} {:>9} {:>7}\n", "P50 ms", "P95 ms", "P99 ms", "max ms", "faster");
  for (size_t i = 0; i < reports.size(); ++i) {
    const auto& ms = reports[i].ms;
    fmt::print("{:9.4f} {:9.4f} {:9.4f} {:9.4f} {:6.2f}x  {}\n", ms.p50, ms.p95, ms.p99, ms.max,
               reports.front().ms.p50 / ms.p50, options.files[i].string());
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
  if (options.windows.empty() != options.model.empty() || options.windows.empty() == options.files.empty()) {
    return fail(ErrorCode::kInvalidInput,
                "bench: name FILE.onnx or FILE.bundle, several FILE.onnx, or --windows and --model together");
  }
  if (!options.windows.empty()) return bench_windows(options);
  return options.files.size() == 1 ? bench_one(options) : bench_several(options);
}

}  // namespace

Command bench_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "bench", "how long a model takes here: percentiles with n, against a budget (exit 1 where P99 misses it)");
  app->add_option("files", options->files, "a .onnx or .bundle file; several .onnx are compared in one run");
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
