// SPDX-License-Identifier: Apache-2.0
#include "inference/latency.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/clock.h"

namespace millwright::inference {
namespace {

constexpr double kLongestEmptyMs = 1.0;

double ms_between(int64_t start_ns, int64_t end_ns) { return static_cast<double>(end_ns - start_ns) * 1e-6; }

Status check_options(const LatencyOptions& options) {
  for (const uint64_t count : {options.warmup, options.iterations}) {
    if (count >= 1 && count <= kMaxIterations) continue;
    return fail(ErrorCode::kInvalidInput, "bench: {} runs; 1 to {} are allowed", count, kMaxIterations);
  }
  return {};
}

// Spins for `ms` and returns how long that really took.
double empty_loop(const Clock& clock, double ms) {
  const int64_t start = clock.monotonic_ns();
  const int64_t end = start + static_cast<int64_t>(ms * 1e6);
  int64_t now = start;
  while (now < end) now = clock.monotonic_ns();
  return ms_between(start, now);
}

struct Taken {
  double empty_ms = kLongestEmptyMs;  // as long as the shortest call
  std::vector<double> took;
  std::vector<double> empty;
};

Result<double> time_once(const Call& subject, const Clock& clock) {
  const int64_t start = clock.monotonic_ns();
  const bool good = subject.run();
  const double ms = ms_between(start, clock.monotonic_ns());
  if (!good) return fail(ErrorCode::kInvalidInput, "bench: {}", subject.session->last_error());
  return ms;
}

LatencyReport report_of(const Call& subject, Taken& taken) {
  LatencyReport report;
  report.n = taken.took.size();
  report.ms = percentiles(taken.took);
  report.p999_proven = report.n >= kProvenP999;
  report.throughput_per_s = static_cast<double>(subject.session->batch()) * 1e3 / report.ms.mean;
  report.provider = runtime_name(subject.session->provider());
  report.empty_ms = percentiles(taken.empty);
  report.sorted_ms = std::move(taken.took);
  report.sorted_empty_ms = std::move(taken.empty);
  return report;
}

std::vector<signal::Window> cut(const signal::FeatureSpec& spec, std::span<const float> samples) {
  const size_t size = spec.channels * spec.length;
  std::vector<signal::Window> windows(samples.size() / size);
  for (size_t i = 0; i < windows.size(); ++i) {
    windows[i] = {.samples = samples.subspan(i * size, size),
                  .channels = spec.channels,
                  .length = spec.length,
                  .rate_hz = spec.rate_hz};
  }
  return windows;
}

// Whole passes over the windows in batches, timed per window, until enough time was measured.
void time_batches(Scorer& scorer, std::span<const signal::Window> windows, const WindowsOptions& options,
                  std::vector<double>& scores, WindowsReport& report) {
  const SystemClock clock;
  std::vector<double> per_window_us;
  double total_ms = 0.0;
  do {
    for (size_t done = 0; done < windows.size(); done += options.batch) {
      const size_t count = std::min(options.batch, windows.size() - done);
      const int64_t start = clock.monotonic_ns();
      scorer.score_batch(windows.subspan(done, count), std::span(scores).subspan(done, count));
      const double ms = ms_between(start, clock.monotonic_ns());
      total_ms += ms;
      report.measured += count;
      per_window_us.push_back(ms * 1e3 / static_cast<double>(count));
    }
  } while (total_ms < options.at_least_s * 1e3 && per_window_us.size() < kMaxIterations);
  report.windows_per_s = static_cast<double>(report.measured) * 1e3 / total_ms;
  report.us = percentiles(per_window_us);
}

void time_singles(Scorer& scorer, std::span<const signal::Window> windows, WindowsReport& report) {
  const SystemClock clock;
  std::vector<double> us(std::min<size_t>(windows.size(), kProvenP999));
  for (size_t i = 0; i < LatencyOptions{}.warmup; ++i) static_cast<void>(scorer.score(windows[i % windows.size()]));
  for (size_t i = 0; i < us.size(); ++i) {
    const int64_t start = clock.monotonic_ns();
    static_cast<void>(scorer.score(windows[i]));
    us[i] = ms_between(start, clock.monotonic_ns()) * 1e3;
  }
  report.single_us = percentiles(us);
}

}  // namespace

Percentiles percentiles(std::span<double> values) {
  MW_CHECK(!values.empty(), "percentiles of nothing");
  std::ranges::sort(values);
  const size_t n = values.size();
  const auto rank = [&](size_t permille) { return values[std::max<size_t>(1, (n * permille + 999) / 1000) - 1]; };
  return {.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(n),
          .p50 = rank(500),
          .p95 = rank(950),
          .p99 = rank(990),
          .p999 = rank(999),
          .max = values.back()};
}

Call call_of(Session& session) {
  return {.run = [&session] { return session.run(); }, .session = &session};
}

Call call_of(Scorer& scorer, const signal::Window& window) {
  return {.run =
              [&scorer, &window] {
                scorer.extract(window, 0);
                return scorer.features().run(1);
              },
          .session = &scorer.features().session()};
}

Result<LatencyReport> measure_session(Session& session, const LatencyOptions& options) {
  const Call call = call_of(session);
  return MW_TRY(measure_calls(std::span(&call, 1), options)).front();
}

Result<std::vector<LatencyReport>> measure_calls(std::span<const Call> calls, const LatencyOptions& options) {
  MW_CHECK_OK(check_options(options));
  const SystemClock clock;
  std::vector<Taken> taken(calls.size());
  for (uint64_t i = 0; i < options.warmup; ++i) {
    for (size_t s = 0; s < calls.size(); ++s) {
      taken[s].empty_ms = std::min(taken[s].empty_ms, MW_TRY(time_once(calls[s], clock)));
    }
  }
  for (Taken& one : taken) {
    one.took.reserve(options.iterations);
    one.empty.reserve(options.iterations);
  }
  for (uint64_t i = 0; i < options.iterations; ++i) {
    for (size_t s = 0; s < calls.size(); ++s) {
      taken[s].took.push_back(MW_TRY(time_once(calls[s], clock)));
      taken[s].empty.push_back(empty_loop(clock, taken[s].empty_ms));
    }
  }
  std::vector<LatencyReport> reports;
  reports.reserve(calls.size());
  for (size_t s = 0; s < calls.size(); ++s) reports.push_back(report_of(calls[s], taken[s]));
  return reports;
}

Result<WindowsReport> bench_windows(const signal::FeatureSpec& spec, const FeatureModel& model,
                                    std::span<const float> samples, const WindowsOptions& options) {
  const size_t size = spec.channels * spec.length;
  if (options.batch == 0 || size == 0 || samples.empty() || samples.size() % size != 0) {
    return fail(ErrorCode::kInvalidInput, "bench: {} samples are no whole number of windows of {} samples",
                samples.size(), size);
  }
  Scorer batched = MW_TRY(Scorer::create(spec, model, options.batch));
  Scorer single = MW_TRY(Scorer::create(spec, model, 1));
  const std::vector<signal::Window> windows = cut(spec, samples);
  std::vector<double> scores(windows.size());
  batched.score_batch(windows, scores);  // warm-up, and the scores
  WindowsReport report;
  report.windows = windows.size();
  report.provider = runtime_name(batched.features().session().provider());
  time_batches(batched, windows, options, scores, report);
  time_singles(single, windows, report);
  if (!batched.last_error().empty()) return fail(ErrorCode::kInvalidInput, "bench: {}", batched.last_error());
  report.score_mean = std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  report.score_0 = scores[0];
  return report;
}

}  // namespace millwright::inference
