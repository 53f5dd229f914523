// SPDX-License-Identifier: Apache-2.0
#include "metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

namespace millwright::metrics {
namespace {

using ::testing::HasSubstr;

constexpr std::array<double, 3> kBounds = {5.0, 10.0, 25.0};

std::string page_of(Registry& registry) {
  std::string page;
  registry.render(page);
  return page;
}

TEST(Registry, WritesCountersAndGaugesUnderTheirFamily) {
  Registry registry;
  registry.counter({"strokes_total", "Strokes seen"}, {{"asset_id", "a"}}).add(3);
  registry.counter({"strokes_total", "Strokes seen"}, {{"asset_id", "b"}}).add();
  registry.gauge({"temperature_celsius", "How hot it is"}).set(41.5);
  EXPECT_EQ(page_of(registry),
            "# HELP strokes_total Strokes seen\n"
            "# TYPE strokes_total counter\n"
            "strokes_total{asset_id=\"a\"} 3\n"
            "strokes_total{asset_id=\"b\"} 1\n"
            "# HELP temperature_celsius How hot it is\n"
            "# TYPE temperature_celsius gauge\n"
            "temperature_celsius 41.5\n");
}

TEST(Registry, HistogramBucketsAreCumulativeAndEndInInfinity) {
  Registry registry;
  Histogram& latency = registry.histogram({"latency_ms", "Latency"}, kBounds, {{"asset_id", "a"}});
  for (const double ms : {1.0, 5.0, 7.0, 30.0}) latency.observe(ms);
  EXPECT_EQ(page_of(registry),
            "# HELP latency_ms Latency\n"
            "# TYPE latency_ms histogram\n"
            "latency_ms_bucket{asset_id=\"a\",le=\"5\"} 2\n"
            "latency_ms_bucket{asset_id=\"a\",le=\"10\"} 3\n"
            "latency_ms_bucket{asset_id=\"a\",le=\"25\"} 3\n"
            "latency_ms_bucket{asset_id=\"a\",le=\"+Inf\"} 4\n"
            "latency_ms_sum{asset_id=\"a\"} 43\n"
            "latency_ms_count{asset_id=\"a\"} 4\n");
}

TEST(Registry, EscapesWhatALabelOrHelpMayHold) {
  Registry registry;
  registry.gauge({"info", "two\nlines \\ one"}, {{"name", "a \"b\"\n\\"}}).set(1);
  EXPECT_EQ(page_of(registry),
            "# HELP info two\\nlines \\\\ one\n# TYPE info gauge\ninfo{name=\"a \\\"b\\\"\\n\\\\\"} 1\n");
}

TEST(Registry, GivesTheSameSeriesForTheSameLabels) {
  Registry registry;
  Counter& first = registry.counter({"c_total", "C"}, {{"x", "1"}});
  EXPECT_EQ(&first, &registry.counter({"c_total", "C"}, {{"x", "1"}}));
  EXPECT_NE(&first, &registry.counter({"c_total", "C"}, {{"x", "2"}}));
  EXPECT_EQ(registry.series(), 2U);
}

TEST(Registry, WritesNumbersThatAreNone) {
  Registry registry;
  registry.gauge({"a", "A"}).set(std::nan(""));
  registry.gauge({"b", "B"}).set(-HUGE_VAL);
  EXPECT_THAT(page_of(registry), HasSubstr("\na NaN\n"));
  EXPECT_THAT(page_of(registry), HasSubstr("\nb -Inf\n"));
}

TEST(Registry, BoundsTheNumberOfSeriesAndCountsTheRest) {
  Registry registry;
  for (size_t i = 0; i < kMaxSeries; ++i) {
    // Families apart, so that the search for a label does not make this test slow.
    registry.gauge({"g" + std::to_string(i / 100), "G"}, {{"i", std::to_string(i)}}).set(1);
  }
  registry.counter({"beyond_total", "B"}, {{"i", "1"}}).add();
  registry.counter({"beyond_total", "B"}, {{"i", "2"}}).add();
  EXPECT_EQ(registry.series(), kMaxSeries);
  EXPECT_EQ(registry.refused(), 2U);
  EXPECT_THAT(page_of(registry), ::testing::Not(HasSubstr("beyond_total")));
}

TEST(Registry, ARemovedSeriesIsOffThePage) {
  Registry registry;
  registry.gauge({"version", "V"}, {{"version_string", "1"}}).set(1);
  registry.gauge({"version", "V"}, {{"version_string", "2"}}).set(1);
  registry.remove("version", {{"version_string", "1"}});
  EXPECT_EQ(page_of(registry), "# HELP version V\n# TYPE version gauge\nversion{version_string=\"2\"} 1\n");
}

TEST(Registry, BringsInWhatIsCountedElsewhere) {
  Registry registry;
  uint64_t elsewhere = 7;
  Counter& counter = registry.counter({"c_total", "C"});
  registry.before_scrape([&] { counter.set_total(elsewhere); });
  EXPECT_THAT(page_of(registry), HasSubstr("c_total 7\n"));
}

TEST(Registry, CountsFromManyThreadsWhileItIsScraped) {
  Registry registry;
  Counter& counter = registry.counter({"c_total", "C"});
  Histogram& histogram = registry.histogram({"h", "H"}, kBounds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.add();
        histogram.observe(1.0);
      }
    });
  }
  for (int i = 0; i < 20; ++i) static_cast<void>(page_of(registry));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000U);
  EXPECT_THAT(page_of(registry), HasSubstr("h_count 40000\n"));
}

// promtool is Prometheus' own judge of a page.
TEST(Registry, APageIsGoodToPromtool) {
  Registry registry;
  registry.counter({"strokes_total", "Strokes seen"}, {{"asset_id", "press \"7\"\\\n"}}).add(3);
  registry.histogram({"latency_seconds", "Latency"}, kBounds).observe(3.0);
  registry.gauge({"score_ratio", "Score"}).set(0.25);
  const std::string file = ::testing::TempDir() + "page.txt";
  std::ofstream(file) << page_of(registry);
  EXPECT_EQ(std::system(("promtool check metrics <" + file + " >/dev/null").c_str()), 0);
  std::ofstream(file) << "strokes_total{ 3\n";
  EXPECT_NE(std::system(("promtool check metrics <" + file + " >/dev/null 2>&1").c_str()), 0) << "the control";
}

}  // namespace
}  // namespace millwright::metrics
