// SPDX-License-Identifier: Apache-2.0
// The page of `bench --html`: figures in tables, times as histograms drawn in SVG.
#include <algorithm>
#include <cmath>
#include <span>

#include "apps/millwright/bench_report.h"

namespace millwright::apps {
namespace {

constexpr double kWidth = 760.0;
constexpr double kHeight = 150.0;
constexpr double kBelow = 22.0;  // for the numbers of the axis
constexpr double kAbove = 30.0;  // for the names of the marks, in two rows
constexpr size_t kBins = 95;

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5f6670; --paper: #fff; --line: #d4d8dd; --bar: #2f6fb3;
  --empty: #b06a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3ad; --paper: #16181b; --line: #3a3f45;
  --bar: #6aa5e0; --empty: #e0a040; --bad: #ff8a80; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 900px;
  margin: 24px auto; padding: 0 20px; }
h1 { font-size: 21px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 28px 0 4px; overflow-wrap: anywhere; }
p { margin: 4px 0; color: var(--soft); } .wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); } th:first-child, td:first-child { text-align: left; white-space: normal;
  overflow-wrap: anywhere; min-width: 13em; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: var(--soft); }
.bar { fill: var(--bar); } .empty { fill: none; stroke: var(--empty); stroke-width: 1.5; }
.axis { stroke: var(--line); } .mark { stroke: var(--ink); stroke-dasharray: 2 3; }
.budget { stroke: var(--bad); stroke-width: 1.5; } svg text.over { fill: var(--bad); } .missed { color: var(--bad); }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
  }
  return out;
}

// Times along a logarithmic axis that all rows share, so that their places can be compared.
class Axis {
 public:
  explicit Axis(const BenchReport& report) {
    low_ = report.rows.front().report.sorted_ms.front();
    high_ = report.rows.front().report.sorted_ms.back();
    for (const BenchRow& row : report.rows) {
      low_ = std::min(low_, row.report.sorted_ms.front());
      high_ = std::max(high_, row.report.sorted_ms.back());
    }
    if (report.budget_ms > 0.0) {
      low_ = std::min(low_, report.budget_ms);
      high_ = std::max(high_, report.budget_ms);
    }
    constexpr double kMargin = 1.06;
    constexpr double kLeastMs = 1e-6;
    low_ = std::max(low_, kLeastMs) / kMargin;
    high_ = std::max(high_, low_) * kMargin;
  }
  [[nodiscard]] double at(double ms) const { return kWidth * share(ms); }
  [[nodiscard]] double low() const { return low_; }
  [[nodiscard]] double high() const { return high_; }

  // How many of `sorted` fall into each bin; those beyond the axis are not drawn.
  [[nodiscard]] std::vector<size_t> histogram(std::span<const double> sorted) const {
    std::vector<size_t> bins(kBins, 0);
    for (const double ms : sorted) {
      const double place = share(ms);
      if (place >= 0.0 && place < 1.0) ++bins[static_cast<size_t>(place * static_cast<double>(kBins))];
    }
    return bins;
  }

 private:
  [[nodiscard]] double share(double ms) const { return ms > 0.0 ? std::log(ms / low_) / std::log(high_ / low_) : -1.0; }
  double low_ = 0.0;
  double high_ = 0.0;
};

// 1, 2 and 5 of each power of ten; every quarter of the axis where it is so short that less than three of them lie on
// it.
std::vector<double> ticks(const Axis& axis) {
  std::vector<double> out;
  for (int power = -7; power <= 6; ++power) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double ms = digit * std::pow(10.0, power);
      if (ms >= axis.low() && ms <= axis.high()) out.push_back(ms);
    }
  }
  if (out.size() >= 3) return out;
  out.clear();
  for (const double share : {0.06, 0.35, 0.64, 0.93}) {
    out.push_back(axis.low() * std::pow(axis.high() / axis.low(), share));
  }
  return out;
}

// Counts are drawn by their logarithm: a single late run in a thousand must be seen.
double height_of(size_t count, size_t most) {
  if (count == 0) return 0.0;
  return kHeight * std::log1p(static_cast<double>(count)) / std::log1p(static_cast<double>(most));
}

std::string bars(const std::vector<size_t>& bins, size_t most) {
  std::string out;
  const double width = kWidth / static_cast<double>(bins.size());
  for (size_t i = 0; i < bins.size(); ++i) {
    const double height = height_of(bins[i], most);
    if (height <= 0.0) continue;
    out += fmt::format(R"(<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)",
                       static_cast<double>(i) * width, kAbove + kHeight - height, width - 0.6, height);
  }
  return out;
}

std::string outline(const std::vector<size_t>& bins, size_t most) {
  if (std::ranges::all_of(bins, [](size_t count) { return count == 0; })) return "";
  std::string path = fmt::format("M0 {:.1f}", kAbove + kHeight);
  const double width = kWidth / static_cast<double>(bins.size());
  for (size_t i = 0; i < bins.size(); ++i) {
    path +=
        fmt::format("V{:.1f}H{:.1f}", kAbove + kHeight - height_of(bins[i], most), static_cast<double>(i + 1) * width);
  }
  return fmt::format(R"(<path class="empty" d="{}"/>)", path);
}

std::string mark(const Axis& axis, double ms, std::string_view name, const char* kind, bool second_row) {
  const double x = axis.at(ms);
  const bool is_right = x > kWidth * 0.8;
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.0f}" x2="{:.1f}" y2="{:.0f}"/>)"
                     R"(<text {}x="{:.1f}" y="{:.0f}" text-anchor="{}">{}</text>)",
                     kind, x, second_row ? 18.0 : 5.0, x, kAbove + kHeight,
                     std::string_view(kind) == "budget" ? R"(class="over" )" : "", is_right ? x - 3 : x + 3,
                     second_row ? 26.0 : 12.0, is_right ? "end" : "start", name);
}

std::string picture(const BenchReport& report, const BenchRow& row, const Axis& axis) {
  const auto bins = axis.histogram(row.report.sorted_ms);
  const auto empty = axis.histogram(row.report.sorted_empty_ms);
  const size_t most =
      std::max<size_t>({1, *std::max_element(bins.begin(), bins.end()), *std::max_element(empty.begin(), empty.end())});
  std::string out = fmt::format(
      R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img"><title>{}: {} runs, P50 {:.4f} ms, P99 {:.4f} ms, longest {:.4f} ms</title>)",
      kWidth, kAbove + kHeight + kBelow, escaped(row.file), row.report.n, row.report.ms.p50, row.report.ms.p99,
      row.report.ms.max);
  out += bars(bins, most) + outline(empty, most);
  out += fmt::format(R"(<line class="axis" x1="0" y1="{0:.0f}" x2="{1:.0f}" y2="{0:.0f}"/>)", kAbove + kHeight, kWidth);
  constexpr double kEdge = 24.0;   // a number nearer to the end than this would be cut
  constexpr double kApart = 56.0;  // numbers nearer to one another would run together
  double before = -kApart;
  for (const double ms : ticks(axis)) {
    const double x = axis.at(ms);
    if (x - before < kApart) continue;
    before = x;
    const char* anchor = x < kEdge ? "start" : x > kWidth - kEdge ? "end" : "middle";
    out += fmt::format(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="{}">{:.3g} ms</text>)", x, kAbove + kHeight + 15.0,
                       anchor, ms);
  }
  out += mark(axis, row.report.ms.p50, "P50", "mark", false) + mark(axis, row.report.ms.p99, "P99", "mark", true);
  if (report.budget_ms > 0.0) out += mark(axis, report.budget_ms, "budget", "budget", false);
  return out + "</svg>";
}

std::string figures_table(const BenchReport& report) {
  std::string out =
      R"(<div class="wide"><table><tr><th>ms</th><th>mean</th><th>P50</th><th>P95</th><th>P99</th><th>P99.9</th>)"
      "<th>max</th><th>a second</th><th>times as fast</th></tr>";
  for (const BenchRow& row : report.rows) {
    const auto& ms = row.report.ms;
    const bool is_missed = report.budget_ms > 0.0 && !row.in_budget;
    out += fmt::format(
        "<tr><td>{}<br>{}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td{}>{:.4f}</td><td>{:.4f}{}</td>"
        "<td>{:.4f}</td><td>{:.0f}</td><td>{:.2f}</td></tr>",
        escaped(row.file), row.report.provider, ms.mean, ms.p50, ms.p95, is_missed ? R"( class="missed")" : "", ms.p99,
        ms.p999, row.report.p999_proven ? "" : "*", ms.max, row.report.throughput_per_s, row.ratio_p50);
    const auto& empty = row.report.empty_ms;
    out += fmt::format(
        "<tr><td>an empty loop</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td>"
        "<td>{:.4f}</td><td></td><td></td></tr>",
        empty.mean, empty.p50, empty.p95, empty.p99, empty.p999, empty.max);
  }
  return out + "</table></div>";
}

std::string machine_table(const BenchReport& report) {
  return fmt::format(
      "<div class=\"wide\"><table><tr><th>machine</th><th>before</th><th>after</th></tr>"
      "<tr><td>temperature</td><td>{}</td><td>{}</td></tr><tr><td>clock</td><td>{}</td><td>{}</td></tr></table></div>"
      "<p>{} thread{}, CPU {}{}; {} warm-up runs.</p>",
      temperature_text(report.before), temperature_text(report.after), clocks_text(report.before),
      clocks_text(report.after), report.threads, report.threads == 1 ? "" : "s", report.cpus,
      report.is_pinned ? " (pinned)" : "", report.warmup);
}

}  // namespace

std::string bench_page(const BenchReport& report) {
  const Axis axis(report);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>Millwright bench</title><style>{}</style></head><body>",
      kStyle);
  out += fmt::format("<h1>How long a model takes here</h1><p>{} runs of each, one call of each in turn.</p>",
                     report.rows.front().report.n);
  if (report.budget_ms > 0.0) {
    out += fmt::format("<p>P99 against the budget of {} ms: {}.</p>", report.budget_ms,
                       report.in_budget() ? "held" : "<span class=\"missed\">missed</span>");
  }
  out += figures_table(report);
  if (!report.rows.front().report.p999_proven) out += "<p>* unproven below 100,000 runs.</p>";
  out += machine_table(report);
  for (const BenchRow& row : report.rows) {
    out += fmt::format("<h2>{} on {}</h2>", escaped(row.file), row.report.provider);
    out += picture(report, row, axis);
  }
  out +=
      "<p>Bars: runs by how long they took, both axes logarithmic, the same axis of time for all. Line: an empty loop "
      "as long "
      "as the shortest run, at most 1 ms, where it lies on that axis: what it takes longer is the machine's own.</p>";
  return out + "</body></html>\n";
}

}  // namespace millwright::apps
