// SPDX-License-Identifier: Apache-2.0
// A scrape of 10,000 series beside prometheus-cpp's text serializer on the same series.
// usage: scrape_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "metrics/registry.h"

namespace {

constexpr int kAssets = 250;
constexpr int kFamilies = 40;  // x kAssets = 10,000 series: half of them counters, half gauges

std::string family_name(int family) {
  return "edge_family_" + std::to_string(family) + (family % 2 == 0 ? "_total" : "");
}
double value_of(int family, int asset) { return 0.37 * asset + 1e-3 * family; }

void scrape_millwright(benchmark::State& state) {
  millwright::metrics::Registry registry;
  for (int f = 0; f < kFamilies; ++f) {
    for (int a = 0; a < kAssets; ++a) {
      const std::string name = family_name(f);
      const millwright::metrics::Labels labels = {
          {"device_id", "box-17"}, {"asset_id", "press" + std::to_string(a)}, {"factory_id", "plant-2"}};
      if (f % 2 == 0) {
        registry.counter({name, "What is counted"}, labels).add(static_cast<uint64_t>(1'000 * a + f));
      } else {
        registry.gauge({name, "What is measured"}, labels).set(value_of(f, a));
      }
    }
  }
  std::string page;
  for (auto _ : state) {
    page.clear();
    registry.render(page);
    benchmark::DoNotOptimize(page.data());
  }
  state.counters["bytes"] = static_cast<double>(page.size());
}
BENCHMARK(scrape_millwright)->Unit(benchmark::kMillisecond);

void scrape_prometheus_cpp(benchmark::State& state) {
  prometheus::Registry registry;
  for (int f = 0; f < kFamilies; ++f) {
    const bool counted = f % 2 == 0;
    prometheus::Family<prometheus::Counter>* counters = nullptr;
    prometheus::Family<prometheus::Gauge>* gauges = nullptr;
    if (counted) {
      counters = &prometheus::BuildCounter().Name(family_name(f)).Help("What is counted").Register(registry);
    } else {
      gauges = &prometheus::BuildGauge().Name(family_name(f)).Help("What is measured").Register(registry);
    }
    for (int a = 0; a < kAssets; ++a) {
      const prometheus::Labels labels = {
          {"device_id", "box-17"}, {"asset_id", "press" + std::to_string(a)}, {"factory_id", "plant-2"}};
      if (counted) {
        counters->Add(labels).Increment(1'000.0 * a + f);
      } else {
        gauges->Add(labels).Set(value_of(f, a));
      }
    }
  }
  const prometheus::TextSerializer serializer;
  size_t bytes = 0;
  for (auto _ : state) {
    const std::string page = serializer.Serialize(registry.Collect());
    bytes = page.size();
    benchmark::DoNotOptimize(page.data());
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(scrape_prometheus_cpp)->Unit(benchmark::kMillisecond);

}  // namespace
