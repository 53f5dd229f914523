// SPDX-License-Identifier: Apache-2.0
// What `bench` found, as JSON, as text and as a page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "inference/latency.h"
#include "inference/processor.h"

namespace millwright::apps {

// The box at one moment; empty: not readable here.
struct BoxState {
  std::optional<double> temperature_celsius;  // the hottest sensor
  std::optional<inference::Clocks> clocks;
  std::optional<uint64_t> thermal_throttles;  // events since boot
};
BoxState box_state(const std::vector<int>& cpus);

struct BenchRow {
  std::string file;
  inference::LatencyReport report;
  double ratio_p50 = 1.0;  // the first row's median over this one's: above 1 is faster
  bool in_budget = true;
};

struct BenchReport {
  std::vector<BenchRow> rows;  // of one interleaved run
  double budget_ms = 0.0;      // for P99; 0: none
  uint64_t warmup = 0;
  int threads = 1;
  std::string cpus;  // that it ran on, "0-3"
  bool is_pinned = false;
  BoxState before;
  BoxState after;
  [[nodiscard]] bool in_budget() const;
};

// One row: its figures at the top; several: a list under "models". With the budget and "machine".
nlohmann::json bench_json(const BenchReport& report);
std::string bench_text(const BenchReport& report);
// Complete in itself: no script, nothing loaded from elsewhere.
std::string bench_page(const BenchReport& report);

// "12.5 C", "1800 to 2400 MHz", "not readable here".
std::string temperature_text(const BoxState& state);
std::string clocks_text(const BoxState& state);

}  // namespace millwright::apps
