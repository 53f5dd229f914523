// SPDX-License-Identifier: Apache-2.0
// How long a model takes on this machine, measured so that nobody can fool themselves: warm-up, percentiles with n, and
// an empty loop beside them that shows what the machine itself adds.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/scorer.h"

namespace millwright::inference {

inline constexpr uint64_t kMaxIterations = 10'000'000;
inline constexpr uint64_t kProvenP999 = 100'000;  // fewer runs say nothing about one in a thousand

// Nearest-rank percentiles of durations, in the unit that the field names.
struct Percentiles {
  double mean = 0.0;
  double p50 = 0.0;
  double p95 = 0.0;
  double p99 = 0.0;
  double p999 = 0.0;
  double max = 0.0;
};
// `values` is sorted; at least one.
Percentiles percentiles(std::span<double> values);

struct LatencyOptions {
  uint64_t warmup = 20;  // 1 .. kMaxIterations
  uint64_t iterations = 1'000;
};

struct LatencyReport {
  uint64_t n = 0;
  Percentiles ms;
  bool p999_proven = false;
  double throughput_per_s = 0.0;  // windows: batch / mean
  std::string provider;
  // An empty loop of the same length (at most 1 ms), run after every measured call.
  Percentiles empty_ms;
  // All of them, ascending.
  std::vector<double> sorted_ms;
  std::vector<double> sorted_empty_ms;
};

// kInvalidInput: options out of range, or the model fails.
Result<LatencyReport> measure_session(Session& session, const LatencyOptions& options);

// What is measured: false where the model failed, and the session says why.
struct Call {
  std::function<bool()> run;
  const Session* session = nullptr;
};
Call call_of(Session& session);
// Window -> features -> score, one at a time. Both must outlive the call.
Call call_of(Scorer& scorer, const signal::Window& window);

// Several in one run, one call of each in turn: only so are their times comparable. In the order of `calls`.
Result<std::vector<LatencyReport>> measure_calls(std::span<const Call> calls, const LatencyOptions& options);

struct WindowsOptions {
  size_t batch = 64;
  double at_least_s = 1.0;  // the windows are gone through again until this much time was measured
};

struct WindowsReport {
  uint64_t windows = 0;        // in the input
  uint64_t measured = 0;       // how many were timed, repeats included
  double windows_per_s = 0.0;  // features and model, micro-batched, one thread
  Percentiles us;              // per window: a batch's time over its windows
  Percentiles single_us;       // one window at a time, batch 1
  double score_mean = 0.0;
  double score_0 = 0.0;
  std::string provider;
};

// `samples` are planar windows of the spec's shape, one after the other. kInvalidInput: no whole window, or a model
// that does not fit the spec or fails.
Result<WindowsReport> bench_windows(const signal::FeatureSpec& spec, const FeatureModel& model,
                                    std::span<const float> samples, const WindowsOptions& options = {});

}  // namespace millwright::inference
