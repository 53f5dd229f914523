// SPDX-License-Identifier: Apache-2.0
// Tries a model from outside in a child process with a deadline and a memory cap, before this process loads it: a
// correctly signed model can still loop for ever, ask for terabytes or crash its runtime.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/error.h"
#include "inference/session.h"
#include "model/bundle.h"

namespace millwright::inference {

inline constexpr std::chrono::milliseconds kTrialDeadline{10'000};

struct TrialOptions {
  std::chrono::milliseconds deadline = kTrialDeadline;  // from the start of the child to its report
  uint64_t memory_bytes = 0;       // what the child may take beyond its own program; 0: 512 MiB and 6 times the model
  double latency_budget_ms = 0.0;  // P95 of single runs; 0: none
  SessionOptions session;          // the child opens the model with the same limits
  std::filesystem::path program = {};  // a program that calls run_trial_child_if_asked(); empty: this one
  int cancel_fd = -1;                  // readable: the trial is to be given up
};

struct TrialReport {
  double load_ms = 0.0;
  double p50_ms = 0.0;  // of single runs, batch 1
  double p95_ms = 0.0;
  uint64_t runs = 0;
  uint64_t peak_rss_bytes = 0;   // of the child
  double worst_deviation = 0.0;  // largest |score - expected| of the golden vectors
};

// Runs the bundle's golden vectors. kTimedOut: it did not report within the deadline (killed), or is over its latency
// budget. kTooLarge: it needed more memory. kRefused: it crashed. kInvalidInput: a score is not finite or not the
// expected one, with the number of the vector. kUnavailable: no child can be started. kCancelled. Else as
// FeatureScorer::create.
// On another rung than the CPU the child is not confined, since drivers do not work so: prove the model on the CPU
// first.
Result<TrialReport> try_bundle(const model::Bundle& bundle, const TrialOptions& options = {});

// The same for a model without a bundle: zeros, then seeded random numbers; every output must be finite.
Result<TrialReport> try_model(std::span<const std::byte> onnx, const TrialOptions& options = {});

// The first call of every program's main that tries models: where this process was started as a trial child, it does
// that and exits; otherwise it returns at once.
void run_trial_child_if_asked(int argc, char** argv);

}  // namespace millwright::inference
