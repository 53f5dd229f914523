// SPDX-License-Identifier: Apache-2.0
// A bundle is everything one decision needs, in one immutable file that is named by its SHA-256: the model, the
// feature spec, the thresholds, the health references, golden vectors and how well it did. FORMAT.md has the grammar.
// A part that does not match any other is refused.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "model/scoring.h"
#include "signal/feature_spec.h"
#include "signal/health.h"

namespace millwright::model {

inline constexpr uint32_t kBundleFormatVersion = 1;
inline constexpr uint64_t kMaxBundleBytes = 1ULL << 30;
inline constexpr size_t kMaxGoldenVectors = 1'000;
inline constexpr size_t kMaxGoldenWindows = 16;

// Inputs and expected raw scores, made on the training machine and run again on every box before it may decide.
struct GoldenVectors {
  std::vector<float> features;  // count x feature_count, row after row
  std::vector<float> expected;  // count raw scores
  // Whole windows, planar, one after the other; the first scores belong to them. They show that the box computes
  // features as the training machine did, which vectors of features cannot.
  std::vector<float> windows;
  double tolerance_relative = 1e-3;
  double tolerance_absolute = 1e-5;
};

// Whether a box got a golden score right; a score that is not finite never is.
inline bool golden_agrees(double got, double expected, double relative, double absolute) {
  return std::isfinite(got) && std::abs(got - expected) <= absolute + relative * std::abs(expected);
}

// Where the model comes from; every digest as 64 hexadecimal digits.
struct Lineage {
  std::string created_utc;
  std::string tool;      // "millwright 0.1.0"
  std::string detector;  // "mahalanobis"
  std::string data_digest;
  std::string parent;  // digest of the bundle it was derived from, or empty
  uint64_t seed = 0;
  uint64_t training_windows = 0;
};

struct Bundle {
  std::string name;  // "press7"
  Bytes model;       // ONNX
  ScoreKind score_kind = ScoreKind::kOutput;
  signal::FeatureSpec features;
  std::vector<float> input_mean;   // normalisation before the model; empty: none
  std::vector<float> input_scale;  // (x - mean) / scale
  Threshold threshold;
  std::vector<signal::HealthReference> health;  // one per channel, or empty
  GoldenVectors golden;
  std::map<std::string, double> report;             // "auc", "false_alarms_per_shift", ...
  std::map<std::string, double> latency_budget_ms;  // device profile -> budget
  Lineage lineage;
};

// The bytes of a bundle file; kInvalidInput where the parts do not match one another.
Result<Bytes> encode_bundle(const Bundle& bundle);

// The inverse; kCorrupt, kUnsupported (a newer format), kTooLarge, kInvalidInput, kRefused, with the section named.
// The model is parsed and checked as hostile input, but not run.
Result<Bundle> decode_bundle(std::span<const std::byte> bytes);

struct LoadedBundle {
  Bundle bundle;
  Digest digest;  // SHA-256 of the whole file: its name
};
Result<LoadedBundle> load_bundle(const std::filesystem::path& path);

}  // namespace millwright::model
