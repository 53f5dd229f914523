// SPDX-License-Identifier: Apache-2.0
#include "lab/report/chart.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>

#include <fmt/format.h>

namespace millwright::lab {
namespace {

constexpr double kLeft = 64.0;
constexpr double kRight = 28.0;
constexpr double kTop = 12.0;
constexpr double kBottom = 40.0;
constexpr int kBinsPerDecade = 20;

// One axis: data to pixels, linear or logarithmic.
struct Axis {
  double low = 0.0;
  double high = 1.0;
  bool log = false;
  double from_px = 0.0;
  double to_px = 1.0;

  [[nodiscard]] bool shows(double value) const { return std::isfinite(value) && (!log || value > 0.0); }
  [[nodiscard]] double px(double value) const {
    const double place = log ? (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low))
                             : (value - low) / (high - low);
    return from_px + place * (to_px - from_px);
  }
};

void widen(Axis& axis, double value, bool& empty) {
  if (!axis.shows(value)) return;
  axis.low = empty ? value : std::min(axis.low, value);
  axis.high = empty ? value : std::max(axis.high, value);
  empty = false;
}

// Ticks at 1, 2 or 5 times a power of ten; whole decades on a logarithmic axis.
std::vector<double> ticks(const Axis& axis) {
  std::vector<double> at;
  if (axis.log) {
    for (double t = std::pow(10.0, std::ceil(std::log10(axis.low) - 1e-9)); t <= axis.high * 1.0001; t *= 10.0)
      at.push_back(t);
    return at;
  }
  const double rough = (axis.high - axis.low) / 6.0;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = power * (rough / power < 1.5   ? 1.0
                               : rough / power < 3.5 ? 2.0
                               : rough / power < 7.5 ? 5.0
                                                     : 10.0);
  for (double t = std::ceil(axis.low / step - 1e-9) * step; t <= axis.high + 1e-9 * step; t += step) {
    at.push_back(std::abs(t) < 1e-9 * step ? 0.0 : t);
  }
  return at;
}

void round_out(Axis& axis) {
  if (axis.log) {
    axis.low = std::pow(10.0, std::floor(std::log10(axis.low)));
    axis.high = std::pow(10.0, std::ceil(std::log10(axis.high) + 1e-9));
    if (axis.high <= axis.low) axis.high = axis.low * 10.0;
    return;
  }
  if (axis.high - axis.low < 1e-12) {
    axis.low -= 0.5;
    axis.high += 0.5;
  }
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size != 0.0 && (size >= 1e6 || size < 1e-3)) return fmt::format("{:.0e}", value);
  return fmt::format("{:g}", value);
}

void draw_axes(std::string& svg, const Chart& chart, const Axis& x, const Axis& y) {
  const auto out = std::back_inserter(svg);
  for (const double t : ticks(x)) {
    fmt::format_to(
        out,
        R"(<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/><text x="{0:.1f}" y="{3}" class="tick mid">{4}</text>)",
        x.px(t), kTop, chart.height - kBottom, chart.height - kBottom + 16, short_number(t));
  }
  for (const double t : ticks(y)) {
    fmt::format_to(
        out,
        R"(<line class="grid" x1="{1}" x2="{2}" y1="{0:.1f}" y2="{0:.1f}"/><text x="{3}" y="{4:.1f}" class="tick end">{5}</text>)",
        y.px(t), kLeft, chart.width - kRight, kLeft - 6, y.px(t) + 4, short_number(t));
  }
  fmt::format_to(out, R"(<text x="{:.1f}" y="{}" class="label mid">{}</text>)", (kLeft + chart.width - kRight) / 2,
                 chart.height - 6, html_text(chart.x_label));
  fmt::format_to(out, R"svg(<text transform="translate(14 {:.1f}) rotate(-90)" class="label mid">{}</text>)svg",
                 (kTop + chart.height - kBottom) / 2, html_text(chart.y_label));
}

void draw_series(std::string& svg, const Series& series, const Axis& x, const Axis& y) {
  const auto out = std::back_inserter(svg);
  fmt::format_to(out, R"(<path class="{} {}" d=")", series.dots ? "dots" : "curve", series.css_class);
  bool pen_down = false;
  for (const auto& [px, py] : series.points) {
    if (!x.shows(px) || !y.shows(py)) {
      pen_down = false;
      continue;
    }
    fmt::format_to(out, "{}{:.1f} {:.1f}{}", pen_down && !series.dots ? "L" : "M", x.px(px), y.px(py),
                   series.dots ? "h0" : "");
    pen_down = true;
  }
  fmt::format_to(out, R"("><title>{}</title></path>)", html_text(series.name));
}

void draw_mark(std::string& svg, const Chart& chart, const Mark& mark, const Axis& x, const Axis& y) {
  const auto out = std::back_inserter(svg);
  if (mark.vertical) {
    if (!x.shows(mark.value)) return;
    const double at = x.px(mark.value);
    const bool near_right = at > chart.width - 180;
    fmt::format_to(
        out,
        R"(<line class="mark {0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2}" y2="{3}"/><text x="{4:.1f}" y="{5}" class="note {0} {6}">{7}</text>)",
        mark.css_class, at, kTop, chart.height - kBottom, at + (near_right ? -5 : 5), kTop + 12,
        near_right ? "end" : "start", html_text(mark.label));
    return;
  }
  if (!y.shows(mark.value)) return;
  const double at = y.px(mark.value);
  fmt::format_to(
      out,
      R"(<line class="mark {0}" x1="{1}" x2="{2}" y1="{3:.1f}" y2="{3:.1f}"/><text x="{4}" y="{5:.1f}" class="note {0} start">{6}</text>)",
      mark.css_class, kLeft, chart.width - kRight, at, kLeft + 6, at - 4, html_text(mark.label));
}

}  // namespace

std::string html_text(std::string_view text) {
  static const std::map<char, std::string_view> kEscapes = {
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  std::string safe;
  for (const char c : text) {
    const auto escape = kEscapes.find(c);
    if (escape == kEscapes.end()) {
      safe.push_back(c);
    } else {
      safe.append(escape->second);
    }
  }
  return safe;
}

std::string to_svg(const Chart& chart) {
  Axis x{.log = chart.log_x, .from_px = kLeft, .to_px = chart.width - kRight};
  Axis y{.log = chart.log_y, .from_px = chart.height - kBottom, .to_px = kTop};
  bool empty_x = true;
  bool empty_y = true;
  for (const Series& series : chart.series) {
    for (const auto& [px, py] : series.points) {
      widen(x, px, empty_x);
      widen(y, py, empty_y);
    }
  }
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{} over {}">)", chart.width,
                                chart.height, html_text(chart.y_label), html_text(chart.x_label));
  if (empty_x || empty_y) return svg + R"(<text x="50%" y="50%" class="label mid">no data</text></svg>)";
  for (const Mark& mark : chart.marks) widen(mark.vertical ? x : y, mark.value, empty_x);
  round_out(x);
  round_out(y);
  draw_axes(svg, chart, x, y);
  for (const Series& series : chart.series) draw_series(svg, series, x, y);
  for (const Mark& mark : chart.marks) draw_mark(svg, chart, mark, x, y);
  return svg + "</svg>";
}

Chart latency_histogram(const std::vector<double>& values_us, double limit_us) {
  std::map<int, size_t> bins;
  for (const double value : values_us) {
    if (value > 0.0 && std::isfinite(value)) ++bins[static_cast<int>(std::floor(std::log10(value) * kBinsPerDecade))];
  }
  Chart chart{.x_label = "latency in microseconds", .y_label = "strokes", .log_x = true, .log_y = true};
  Series bars{.name = "strokes per bin", .css_class = "line"};
  for (const auto& [bin, count] : bins) {
    const double left = std::pow(10.0, static_cast<double>(bin) / kBinsPerDecade);
    const double right = std::pow(10.0, static_cast<double>(bin + 1) / kBinsPerDecade);
    const double height = static_cast<double>(count);
    for (const auto& point :
         {std::pair(left, 0.8), std::pair(left, height), std::pair(right, height), std::pair(right, 0.8)}) {
      bars.points.push_back(point);
    }
  }
  chart.series.push_back(std::move(bars));
  if (limit_us > 0.0) chart.marks.push_back({limit_us, "deadline", "bad", true});
  return chart;
}

}  // namespace millwright::lab
