// SPDX-License-Identifier: Apache-2.0
// What a stroke pays for the summary of its 64 features.
#include <benchmark/benchmark.h>

#include <array>

#include "edge/features/feature_summary.h"

namespace {

void add_a_stroke(benchmark::State& state) {
  millwright::edge::FeatureSummary summary(64);
  std::array<float, 64> row{};
  for (auto _ : state) {
    row[0] += 1.0F;
    summary.add(row);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(add_a_stroke);

}  // namespace
