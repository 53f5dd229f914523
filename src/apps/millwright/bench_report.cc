// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/bench_report.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "edge/health/system_probe.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

constexpr const char* kNotReadable = "not readable here";

json row_json(const BenchReport& report, const BenchRow& row) {
  const auto& r = row.report;
  json out = {{"file", row.file},
              {"provider", r.provider},
              {"mean_ms", r.ms.mean},
              {"p50_ms", r.ms.p50},
              {"p95_ms", r.ms.p95},
              {"p99_ms", r.ms.p99},
              {"p999_ms", r.ms.p999},
              {"p999_proven", r.p999_proven},
              {"max_ms", r.ms.max},
              {"throughput_per_s", r.throughput_per_s},
              {"n", r.n},
              {"ratio_p50", row.ratio_p50},
              {"empty_loop_p50_ms", r.empty_ms.p50},
              {"empty_loop_p99_ms", r.empty_ms.p99},
              {"empty_loop_max_ms", r.empty_ms.max}};
  if (report.budget_ms > 0.0) {
    out["budget_ms"] = report.budget_ms;
    out["in_budget"] = row.in_budget;
  }
  return out;
}

json state_json(const BoxState& state) {
  json out = {{"temperature_celsius", json()}, {"clock_mhz", json()}, {"thermal_throttles", json()}};
  if (state.temperature_celsius) out["temperature_celsius"] = *state.temperature_celsius;
  if (state.clocks) out["clock_mhz"] = {state.clocks->least_mhz, state.clocks->most_mhz};
  if (state.thermal_throttles) out["thermal_throttles"] = *state.thermal_throttles;
  return out;
}

std::string row_text(const BenchReport& report, const BenchRow& row) {
  const auto& r = row.report;
  std::string text = fmt::format("{} on {}: n {}\n", row.file, r.provider, r.n);
  text +=
      fmt::format("  mean {:.4f}  P50 {:.4f}  P95 {:.4f}  P99 {:.4f}  P99.9 {:.4f}{}  max {:.4f} ms; {:.0f} a second\n",
                  r.ms.mean, r.ms.p50, r.ms.p95, r.ms.p99, r.ms.p999,
                  r.p999_proven ? "" : " (unproven below 100,000 runs)", r.ms.max, r.throughput_per_s);
  text += fmt::format("  an empty loop beside it: P50 {:.4f}, P99 {:.4f}, max {:.4f} ms\n", r.empty_ms.p50,
                      r.empty_ms.p99, r.empty_ms.max);
  if (report.budget_ms > 0.0) {
    text += fmt::format("  P99 against the budget of {} ms: {}\n", report.budget_ms, row.in_budget ? "held" : "MISSED");
  }
  return text;
}

}  // namespace

BoxState box_state(const std::vector<int>& cpus) {
  const edge::SystemFigures figures = edge::SystemProbe().read();
  return {.temperature_celsius = figures.temperature_celsius,
          .clocks = inference::clocks(cpus),
          .thermal_throttles = figures.thermal_throttles};
}

bool BenchReport::in_budget() const { return std::ranges::all_of(rows, &BenchRow::in_budget); }

std::string temperature_text(const BoxState& state) {
  return state.temperature_celsius ? fmt::format("{:.1f} C", *state.temperature_celsius) : kNotReadable;
}

std::string clocks_text(const BoxState& state) {
  if (!state.clocks) return kNotReadable;
  if (state.clocks->least_mhz == state.clocks->most_mhz) return fmt::format("{:.0f} MHz", state.clocks->most_mhz);
  return fmt::format("{:.0f} to {:.0f} MHz", state.clocks->least_mhz, state.clocks->most_mhz);
}

json bench_json(const BenchReport& report) {
  json out;
  if (report.rows.size() == 1) {
    out = row_json(report, report.rows.front());
  } else {
    out["models"] = json::array();
    for (const BenchRow& row : report.rows) out["models"].push_back(row_json(report, row));
    if (report.budget_ms > 0.0) {
      out["budget_ms"] = report.budget_ms;
      out["in_budget"] = report.in_budget();
    }
  }
  out["warmup"] = report.warmup;
  out["threads"] = report.threads;
  out["machine"] = {{"cpus", report.cpus},
                    {"pinned", report.is_pinned},
                    {"before", state_json(report.before)},
                    {"after", state_json(report.after)}};
  return out;
}

std::string bench_text(const BenchReport& report) {
  std::string text;
  for (const BenchRow& row : report.rows) text += row_text(report, row);
  if (report.rows.size() > 1) {
    text += "one call of each in turn; by the medians, against the first:\n";
    for (const BenchRow& row : report.rows) {
      text += fmt::format("  {:6.2f} times as fast  {} on {}\n", row.ratio_p50, row.file, row.report.provider);
    }
  }
  text += fmt::format("{} thread{}, CPU {}{}; temperature {}, then {}; clock {}, then {}\n", report.threads,
                      report.threads == 1 ? "" : "s", report.cpus, report.is_pinned ? " (pinned)" : "",
                      temperature_text(report.before), temperature_text(report.after), clocks_text(report.before),
                      clocks_text(report.after));
  return text;
}

}  // namespace millwright::apps
