// SPDX-License-Identifier: Apache-2.0
// What features cost, with floors beside them: the bare transforms of the same sizes and number. Quote ratios of one
// run, not single times: neighbours on the machine move them.
#include <array>

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "base/random.h"
#include "signal/features.h"
#include "signal/fft.h"
#include "signal/health.h"
#include "signal/time_features.h"

namespace millwright::signal {
namespace {

constexpr size_t kLength = 2000;
constexpr double kRate = 10'000.0;
constexpr size_t kBatch = 64;

std::vector<float> noise(size_t n) {
  Random random(1);
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

void extract_batch(benchmark::State& state, const char* name) {
  const auto spec = FeatureSpec::named(name, 1, kLength, kRate);
  MW_CHECK(spec.has_value(), "a built-in spec");
  auto extractor = FeatureExtractor::create(*spec);
  MW_CHECK(extractor.has_value(), "a built-in spec");
  const auto samples = noise(kBatch * kLength);
  std::vector<Window> windows;
  windows.reserve(kBatch);
  for (size_t i = 0; i < kBatch; ++i) {
    windows.push_back({std::span(samples).subspan(i * kLength, kLength), 1, kLength, kRate});
  }
  std::vector<float> out(kBatch * extractor->feature_count());
  for (auto _ : state) {
    extractor->extract_batch(windows, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK_CAPTURE(extract_batch, reference_64, "reference-64")->Name("features reference-64, 64 windows");
BENCHMARK_CAPTURE(extract_batch, vibration, "vibration")->Name("features vibration, 64 windows");
BENCHMARK_CAPTURE(extract_batch, statistics, "statistics")->Name("features statistics, 64 windows");
BENCHMARK_CAPTURE(extract_batch, curve, "curve")->Name("features curve, 64 windows");

struct Transform {
  Fft fft;
  Buffer<Complex> in;
  Buffer<Complex> out;
  int times;
};

// The transforms of 64 windows of reference-64 and nothing else.
void bare_transforms(benchmark::State& state) {
  struct Use {
    size_t size;
    Direction direction;
    int times;
  };
  constexpr std::array<Use, 4> kUses = {{{2048, Direction::kForward, 1},
                                         {512, Direction::kInverse, 4},
                                         {512, Direction::kForward, 2},
                                         {256, Direction::kForward, 7}}};
  std::vector<Transform> transforms;
  for (const Use& use : kUses) {
    auto fft = Fft::create(use.size, use.direction);
    MW_CHECK(fft.has_value(), "a power of two");
    transforms.push_back({std::move(*fft), Buffer<Complex>(use.size), Buffer<Complex>(use.size), use.times});
    const auto values = noise(use.size);
    for (size_t i = 0; i < use.size; ++i) transforms.back().in[i] = values[i];
  }
  for (auto _ : state) {
    for (size_t window = 0; window < kBatch; ++window) {
      for (Transform& transform : transforms) {
        for (int i = 0; i < transform.times; ++i) transform.fft.run(transform.in, transform.out);
        benchmark::DoNotOptimize(transform.out.data());
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(bare_transforms)->Name("floor: the transforms of reference-64, 64 windows");

void health(benchmark::State& state) {
  const auto samples = noise(kBatch * kLength);
  const HealthReference reference = learn_health(samples, kLength, kRate);
  for (auto _ : state) {
    for (size_t i = 0; i < kBatch; ++i) {
      const Window window{std::span(samples).subspan(i * kLength, kLength), 1, kLength, kRate};
      benchmark::DoNotOptimize(check_health(window, std::span(&reference, 1)));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(health)->Name("sensor health, 64 windows");

}  // namespace
}  // namespace millwright::signal
