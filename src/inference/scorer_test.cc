// SPDX-License-Identifier: Apache-2.0
#include "inference/scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

#include "base/random.h"
#include "inference/bare_session.h"
#include "inference/latency.h"
#include "onnx/graph_builder.h"

#ifndef MILLWRIGHT_SANITIZED  // a sanitizer has its own, and holds each new against its delete
// Counts what goes through operator new, ONNX Runtime's own calls included where it shares the C++ library.
namespace {
std::atomic<uint64_t> allocations{0};

void* counted(size_t bytes, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new[](size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) { return counted(bytes, static_cast<size_t>(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#else
namespace {
std::atomic<uint64_t> allocations{0};
}
#endif

namespace millwright::inference {
namespace {

using onnx::ElementType;
using onnx::GraphBuilder;
using ::testing::HasSubstr;

constexpr size_t kLength = 2'000;
constexpr size_t kFeatures = 64;

signal::FeatureSpec reference_spec() {
  return signal::FeatureSpec::named("reference-64", 1, kLength, 10'000.0).value();
}

// 64 -> 8 -> 64 with seeded weights.
Bytes autoencoder() {
  Random random(7);
  const auto weights = [&](size_t count) {
    std::vector<float> out(count);
    for (float& w : out) w = static_cast<float>(random.normal() * 0.1);
    return out;
  };
  GraphBuilder b("autoencoder");
  const auto x = b.input("input", ElementType::kFloat, {"batch", kFeatures});
  const auto code = b.node("Relu", {b.node("MatMul", {x, b.constant(weights(kFeatures * 8), {kFeatures, 8})})});
  b.output(b.node("MatMul", {code, b.constant(weights(8 * kFeatures), {8, kFeatures})}, {}, "output"),
           ElementType::kFloat, {"batch", kFeatures});
  return b.finish().value();
}

std::vector<float> noise(size_t windows) {
  Random random(3);
  std::vector<float> samples(windows * kLength);
  for (float& s : samples) s = static_cast<float>(random.normal());
  return samples;
}

signal::Window window(std::span<const float> samples, size_t index) {
  return {.samples = samples.subspan(index * kLength, kLength), .channels = 1, .length = kLength, .rate_hz = 10'000.0};
}

FeatureModel reconstruction(const Bytes& bytes) {
  return {.model = bytes, .kind = model::ScoreKind::kReconstruction, .feature_count = kFeatures};
}

TEST(Scorer, BatchedScoresAreThoseOfSingleWindows) {
  const Bytes bytes = autoencoder();
  auto single = Scorer::create(reference_spec(), reconstruction(bytes), 1);
  auto batched = Scorer::create(reference_spec(), reconstruction(bytes), 4);
  ASSERT_TRUE(single.has_value()) << single.error().message;
  ASSERT_TRUE(batched.has_value()) << batched.error().message;
  const std::vector<float> samples = noise(10);
  std::vector<signal::Window> windows(10);
  for (size_t i = 0; i < 10; ++i) windows[i] = window(samples, i);
  std::vector<double> scores(10);
  batched->score_batch(windows, scores);
  for (size_t i = 0; i < 10; ++i) {
    const Scored one = single->score(windows[i]);
    EXPECT_TRUE(std::isfinite(one.raw));
    EXPECT_EQ(one.contributions.size(), kFeatures);
    EXPECT_NEAR(scores[i], one.raw, 1e-5 * one.raw);
  }
}

TEST(Scorer, AModelForOtherFeaturesIsRefused) {
  const Bytes bytes = autoencoder();
  FeatureModel model = reconstruction(bytes);
  model.feature_count = 63;
  const auto scorer = Scorer::create(reference_spec(), model, 1);
  ASSERT_FALSE(scorer.has_value());
  EXPECT_THAT(scorer.error().message, HasSubstr("63 features"));
}

TEST(Scorer, AScoreAllocatesNothingBesidesWhatTheRuntimeDoes) {
  constexpr uint64_t kRuns = 100;
#ifdef MILLWRIGHT_SANITIZED
  GTEST_SKIP() << "a sanitizer owns operator new";
#endif
  const Bytes bytes = autoencoder();
  auto scorer = Scorer::create(reference_spec(), reconstruction(bytes), 1);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  BareSession bare(bytes, "input", {1, kFeatures}, "output", {1, kFeatures});
  const std::vector<float> samples = noise(1);
  const signal::Window one = window(samples, 0);
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(scorer->score(one));
    ASSERT_TRUE(bare.run());
  }

  const uint64_t start = allocations.load();
  for (uint64_t i = 0; i < kRuns; ++i) ASSERT_TRUE(bare.run());
  const uint64_t by_runtime = allocations.load() - start;
  for (uint64_t i = 0; i < kRuns; ++i) static_cast<void>(scorer->score(one));
  const uint64_t by_both = allocations.load() - start - by_runtime;
  RecordProperty("allocations_of_the_runtime_per_run", static_cast<int>(by_runtime / kRuns));
  EXPECT_LE(by_both, by_runtime);
}

TEST(Latency, PercentilesAreNearestRank) {
  std::vector<double> values;
  for (int i = 1'000; i >= 1; --i) values.push_back(i);
  const Percentiles p = percentiles(values);
  EXPECT_EQ(p.mean, 500.5);
  EXPECT_EQ(p.p50, 500.0);
  EXPECT_EQ(p.p95, 950.0);
  EXPECT_EQ(p.p99, 990.0);
  EXPECT_EQ(p.p999, 999.0);
  EXPECT_EQ(p.max, 1'000.0);
  std::vector<double> one = {3.0};
  EXPECT_EQ(percentiles(one).p999, 3.0);
}

TEST(Latency, AReportSaysHowMuchItProves) {
  auto session = Session::create(autoencoder(), 1);
  ASSERT_TRUE(session.has_value());
  const auto report = measure_session(*session, {.warmup = 2, .iterations = 50});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->n, 50U);
  EXPECT_FALSE(report->p999_proven);
  EXPECT_GT(report->ms.p50, 0.0);
  EXPECT_LE(report->ms.p50, report->ms.max);
  EXPECT_GT(report->throughput_per_s, 0.0);
  EXPECT_GT(report->empty_ms.max, 0.0);
  EXPECT_EQ(report->provider, "CPUExecutionProvider");
  EXPECT_FALSE(measure_session(*session, {.warmup = 0, .iterations = 1}).has_value());
}

TEST(Latency, AWindowsBenchGivesTheScoresOfTheScorer) {
  const Bytes bytes = autoencoder();
  const std::vector<float> samples = noise(70);
  const auto report = bench_windows(reference_spec(), reconstruction(bytes), samples, {.batch = 64, .at_least_s = 0.0});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->windows, 70U);
  EXPECT_EQ(report->measured, 70U);
  auto scorer = Scorer::create(reference_spec(), reconstruction(bytes), 1);
  const double first = scorer->score(window(samples, 0)).raw;
  EXPECT_NEAR(report->score_0, first, 1e-5 * first);
  EXPECT_TRUE(std::isfinite(report->score_mean));
  const auto cut = std::span(samples).first(3'000);
  EXPECT_THAT(bench_windows(reference_spec(), reconstruction(bytes), cut).error().message, HasSubstr("3000 samples"));
}

}  // namespace
}  // namespace millwright::inference
