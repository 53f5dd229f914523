// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/millwright/bench_report.h"
#include "apps/millwright/command.h"
#include "base/files.h"
#include "inference/latency.h"
#include "inference/processor.h"
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
  std::vector<std::string> providers = {"cpu"};
  int threads = 1;
  std::vector<int> pin;
  double budget_ms = 0.0;
  std::filesystem::path html;
  bool as_json = false;
};

// The same on every run.
void fill_random(std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 2'654'435'761U) % 2'001) / 1'000.0F - 1.0F;
}

// One model on one provider, ready to be called.
struct Job {
  std::string file;
  std::unique_ptr<inference::Session> session;  // of a model
  std::unique_ptr<inference::Scorer> scorer;    // of a bundle, with
  std::vector<float> samples;
  signal::Window window;

  [[nodiscard]] inference::Call call() {
    return session != nullptr ? inference::call_of(*session) : inference::call_of(*scorer, window);
  }
};

Result<Job> open_bundle(const Bytes& bytes, const inference::SessionOptions& session) {
  const model::Bundle bundle = MW_TRY(model::decode_bundle(bytes));
  (void)MW_TRY(inference::try_bundle(bundle));
  Job job;
  job.scorer = std::make_unique<inference::Scorer>(MW_TRY(inference::Scorer::create(bundle, 1, session)));
  const signal::FeatureSpec& spec = bundle.features;
  job.samples.resize(spec.channels * spec.length);
  fill_random(job.samples);
  job.window = {job.samples, spec.channels, spec.length, spec.rate_hz};
  return job;
}

// Tried on the CPU, confined, whoever is to run it; then, on another provider, in a child once more: a driver can
// crash.
Result<Job> open_model(const Bytes& bytes, const inference::SessionOptions& session) {
  (void)MW_TRY(inference::try_model(bytes));
  if (session.rung.provider != inference::Provider::kCpu)
    (void)MW_TRY(inference::try_model(bytes, {.session = session}));
  Job job;
  job.session = std::make_unique<inference::Session>(MW_TRY(inference::Session::create(bytes, 1, session)));
  // Random inputs rather than zeros, which some kernels treat kindly.
  for (size_t i = 0; i < job.session->inputs().size(); ++i) {
    if (job.session->inputs()[i].type == onnx::ElementType::kFloat) fill_random(job.session->input_floats(i));
  }
  return job;
}

Result<std::vector<Job>> open_jobs(const Options& options) {
  std::vector<Job> jobs;
  for (const auto& file : options.files) {
    const Bytes bytes = MW_TRY(read_file(file, model::kMaxBundleBytes));
    for (const std::string& provider : options.providers) {
      const inference::SessionOptions session{
          .threads = options.threads,
          .rung = {.provider = MW_TRY_IN("--provider", inference::parse_provider(provider))}};
      const bool is_bundle = as_text(bytes).starts_with("MWBUNDLE");
      jobs.push_back(MW_TRY_IN(file.string(), is_bundle ? open_bundle(bytes, session) : open_model(bytes, session)));
      jobs.back().file = file.string();
    }
  }
  return jobs;
}

// All of them in one run, one call of each in turn.
Result<int> bench_models(const Options& options) {
  std::vector<Job> jobs = MW_TRY(open_jobs(options));
  std::vector<inference::Call> calls;
  calls.reserve(jobs.size());
  for (Job& job : jobs) calls.push_back(job.call());
  const std::vector<int> cpus = inference::allowed_cpus();
  BenchReport report{.rows = {},
                     .budget_ms = options.budget_ms,
                     .warmup = options.latency.warmup,
                     .threads = options.threads,
                     .cpus = inference::cpu_list(cpus),
                     .is_pinned = !options.pin.empty(),
                     .before = box_state(cpus),
                     .after = {}};
  auto measured = MW_TRY(inference::measure_calls(calls, options.latency));
  report.after = box_state(cpus);
  const double first = measured.front().ms.p50;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const inference::Percentiles& ms = measured[i].ms;
    const bool in_budget = options.budget_ms <= 0.0 || ms.p99 <= options.budget_ms;
    const double ratio = first / ms.p50;
    report.rows.push_back(
        {.file = jobs[i].file, .report = std::move(measured[i]), .ratio_p50 = ratio, .in_budget = in_budget});
  }
  if (!options.html.empty()) MW_CHECK_OK(write_file_atomic(options.html, bench_page(report)));
  fmt::print("{}", options.as_json ? model::json_line(bench_json(report)) + "\n" : bench_text(report));
  return report.in_budget() ? 0 : 1;
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
                "bench: name one FILE.onnx or FILE.bundle or several, or --windows and --model together");
  }
  constexpr int kMostThreads = 256;
  if (options.threads < 1 || options.threads > kMostThreads) {
    return fail(ErrorCode::kInvalidInput, "--threads {}: 1 to {}", options.threads, kMostThreads);
  }
  // Before anything starts threads of its own: they stay where this one is.
  MW_CHECK_OK(inference::pin_to(options.pin));
  if (!options.windows.empty()) {
    if (!options.html.empty()) {
      return fail(ErrorCode::kInvalidInput, "--html is of models; --windows gives a rate, without a histogram");
    }
    return bench_windows(options);
  }
  return bench_models(options);
}

}  // namespace

Command bench_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "bench", "how long a model takes here: percentiles with n, against a budget (exit 1 where P99 misses it)");
  app->add_option("files", options->files, "a .onnx or .bundle file; several are compared in one run, call by call");
  app->add_option("--iterations", options->latency.iterations, "measured runs")->capture_default_str();
  app->add_option("--warmup", options->latency.warmup, "runs before")->capture_default_str();
  app->add_option("--provider", options->providers,
                  "who runs them: cpu, openvino, cuda or tensorrt; given more than once, each model on each")
      ->allow_extra_args(false)
      ->capture_default_str();
  app->add_option("--threads", options->threads, "of one call, inside of the runtime")->capture_default_str();
  app->add_option("--pin", options->pin, "CPUs to stay on, as 2,3")->delimiter(',')->allow_extra_args(false);
  app->add_option("--budget-ms", options->budget_ms, "limit for P99");
  app->add_option("--html", options->html, "write a page with histograms, complete in one file");
  app->add_option("--windows", options->windows, "raw float32 windows of 2,000 samples at 10 kHz");
  app->add_option("--model", options->model, "an autoencoder over their features");
  app->add_option("--features", options->features, "the feature spec")->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return bench(*options); }};
}

}  // namespace millwright::apps
