// SPDX-License-Identifier: Apache-2.0
#include "lab/report/demo_report.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <iterator>
#include <numbers>

#include <fmt/format.h>

#include "lab/report/chart.h"

namespace millwright::lab {
namespace {

constexpr double kNanosPerMicro = 1e3;
constexpr size_t kSpectrumLines = 512;

constexpr std::string_view kStyle = R"css(
:root{--paper:#fbfbf9;--ink:#1b1f24;--soft:#667;--line:#dcdcd6;--good:#2a7f62;--bad:#c2302b;--warn:#c98a00;--blue:#2b5fa8}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e8e8e4;--soft:#99a;--line:#2c3138;--good:#4fc59b;--bad:#ff6b63;--warn:#f0b429;--blue:#7fb0ff}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:32px 20px 80px;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:34px;margin:0}h2{margin:48px 0 4px;font-size:24px}p.sub,p.story{color:var(--soft);margin:4px 0 16px}
table{border-collapse:collapse;width:100%;margin:20px 0;font-variant-numeric:tabular-nums}th,td{text-align:right;padding:7px 10px;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left;white-space:nowrap}th{font-weight:600;color:var(--soft);font-size:13px;vertical-align:bottom}
figure{margin:14px 0}figcaption{font-size:14px;color:var(--soft)}svg{width:100%;height:auto;display:block}.pair{display:grid;grid-template-columns:1fr 1fr;gap:12px}
@media(max-width:760px){.pair{grid-template-columns:1fr}table{font-size:13px}}
.grid{stroke:var(--line);stroke-width:1}.tick,.label,.note{font:12px system-ui,sans-serif;fill:var(--soft)}.mid{text-anchor:middle}.end{text-anchor:end}.start{text-anchor:start}
.curve{fill:none;stroke-width:1.3}.dots{fill:none;stroke-width:4;stroke-linecap:round}.mark{stroke-width:1.4;stroke-dasharray:5 4}
.good{stroke:var(--good)}.bad{stroke:var(--bad)}.warn{stroke:var(--warn)}.none{stroke:var(--soft)}.line{stroke:var(--blue)}
.note{stroke:none}.note.bad{fill:var(--bad)}.note.warn{fill:var(--warn)}.note.none{fill:var(--soft)}b.ok{color:var(--good)}b.no{color:var(--bad)}
.legend span{margin-right:18px;font-size:13px;color:var(--soft)}.legend i{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px;vertical-align:middle}
)css";

std::string or_dash(const std::optional<uint64_t>& number) { return number ? fmt::format("{}", *number) : "-"; }

Chart score_chart(const AssetReport& asset) {
  Series go{.name = "GO", .css_class = "good", .dots = true};
  Series no_go{.name = "NO_GO", .css_class = "bad", .dots = true};
  Series fault{.name = "no verdict", .css_class = "warn", .dots = true};
  for (const auto& record : asset.records) {
    const double id = static_cast<double>(record.stroke_id);
    if (record.verdict == model::Verdict::kNoVerdict) {
      fault.points.emplace_back(id, 0.0);
    } else {
      (record.verdict == model::Verdict::kGo ? go : no_go).points.emplace_back(id, record.score);
    }
  }
  Chart chart{.x_label = "stroke",
              .y_label = "anomaly score",
              .series = {go, no_go, fault},
              .marks = {{0.5, "threshold", "none", false}}};
  chart.marks.push_back({1.0, "", "none", false});
  if (asset.first_warning) {
    chart.marks.push_back({static_cast<double>(*asset.first_warning),
                           fmt::format("first warning: stroke {}", *asset.first_warning), "warn", true});
  }
  if (asset.failure) {
    chart.marks.push_back(
        {static_cast<double>(*asset.failure), fmt::format("die fails: stroke {}", *asset.failure), "bad", true});
  }
  return chart;
}

Chart waveform_chart(const AssetReport& asset) {
  Chart chart{
      .x_label = asset.rate_hz > 0 ? "milliseconds" : "sample", .y_label = "signal", .width = 460, .height = 230};
  const double per_sample = asset.rate_hz > 0 ? 1000.0 / asset.rate_hz : 1.0;
  for (const StrokePicture& picture : asset.pictures) {
    Series series{.name = picture.title, .css_class = picture.css_class};
    for (size_t i = 0; i < picture.samples.size(); ++i) {
      series.points.emplace_back(static_cast<double>(i) * per_sample, picture.samples[i]);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

// A plain discrete Fourier transform at evenly spaced frequencies up to half the rate, Hann window: a picture, not a
// feature, so it stays simple rather than fast.
std::vector<std::pair<double, double>> spectrum(const std::vector<float>& samples, double rate_hz) {
  const size_t n = samples.size();
  const double span_hz = std::min(rate_hz / 2.0, 2'000.0);
  std::vector<std::pair<double, double>> lines;
  for (size_t k = 1; k <= kSpectrumLines && n > 1; ++k) {
    const double hz = span_hz * static_cast<double>(k) / kSpectrumLines;
    const std::complex<double> turn = std::polar(1.0, -2.0 * std::numbers::pi * hz / rate_hz);
    std::complex<double> phase = 1.0;
    std::complex<double> sum = 0.0;
    for (size_t i = 0; i < n; ++i, phase *= turn) {
      const double hann =
          0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n - 1));
      sum += hann * static_cast<double>(samples[i]) * phase;
    }
    lines.emplace_back(hz, 4.0 * std::abs(sum) / static_cast<double>(n) + 1e-9);
  }
  return lines;
}

Chart spectrum_chart(const AssetReport& asset) {
  Chart chart{.x_label = "hertz", .y_label = "amplitude", .log_y = true, .width = 460, .height = 230};
  for (const StrokePicture& picture : asset.pictures) {
    chart.series.push_back({picture.title, picture.css_class, spectrum(picture.samples, asset.rate_hz)});
  }
  return chart;
}

std::vector<double> latencies_us(const AssetReport& asset) {
  std::vector<double> values;
  for (const auto& record : asset.records) {
    if (record.verdict == model::Verdict::kNoVerdict) continue;
    values.push_back(static_cast<double>(record.latency_ns) / kNanosPerMicro - asset.window_us);
  }
  return values;
}

std::string figure(const std::string& svg, std::string_view caption) {
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>", svg, html_text(caption));
}

void append_table(std::string& page, const DemoReport& report) {
  page +=
      "<table><thead><tr><th>press<th>strokes triggered<th>records written<th>NO_GO<th>sensor fault<th>no verdict"
      "<th>false alarms<th>first warning<th>failure<th>P50 us<th>P99 us<th>P99.9 us<th>max us<th>n</tr></thead><tbody>";
  for (const AssetReport& asset : report.assets) {
    const LatencyFigures l = latency_figures(asset);
    fmt::format_to(
        std::back_inserter(page),
        "<tr><td>{}<td>{}<td><b "
        "class=\"{}\">{}</b><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{:.0f}<td>{:.0f}<td>{:.0f}<td>{:.0f}<td>{}</tr>",
        html_text(asset.name), asset.triggered, asset.triggered == asset.recorded ? "ok" : "no", asset.recorded,
        asset.no_go, asset.sensor_faults, asset.no_verdict, or_dash(asset.false_alarms), or_dash(asset.first_warning),
        or_dash(asset.failure), l.p50_us, l.p99_us, l.p999_us, l.max_us, l.n);
  }
  page += "</tbody></table>";
}

void append_asset(std::string& page, const AssetReport& asset) {
  fmt::format_to(std::back_inserter(page), "<h2>{}</h2><p class=\"story\">{}</p>", html_text(asset.name),
                 html_text(asset.story));
  page +=
      "<p class=\"legend\"><span><i style=\"background:var(--good)\"></i>GO</span><span><i "
      "style=\"background:var(--bad)\"></i>NO_GO</span>"
      "<span><i style=\"background:var(--warn)\"></i>no verdict (sensor fault)</span></p>";
  page += figure(to_svg(score_chart(asset)), "Anomaly score of every stroke; the threshold lies at 0.5.");
  if (!asset.pictures.empty()) {
    std::string names;
    for (const auto& picture : asset.pictures) names += (names.empty() ? "" : " and ") + picture.title;
    page += "<div class=\"pair\">" + figure(to_svg(waveform_chart(asset)), "Waveform: " + names);
    if (asset.rate_hz > 0) page += figure(to_svg(spectrum_chart(asset)), "Spectrum of the same strokes");
    page += "</div>";
  }
  page += figure(to_svg(latency_histogram(latencies_us(asset), 0.0)),
                 fmt::format("Last sample to verdict, every judged stroke; the deadline is {:.0f} ms from the trigger.",
                             asset.deadline_us / 1000.0));
}

double reduction(const LinkReport& link) {
  return link.arrived_bytes == 0 ? 0.0 : static_cast<double>(link.raw_bytes) / static_cast<double>(link.arrived_bytes);
}

std::string link_sentence(const LinkReport& link) {
  return fmt::format(
      "The broker was gone for {:.0f} s. {} alerts were confirmed by the listener. All samples would have been {:.1f} "
      "MB; what arrived is {:.1f} MB: {:.0f} times less.",
      link.mended_s - link.cut_s, link.alerts, static_cast<double>(link.raw_bytes) / 1e6,
      static_cast<double>(link.arrived_bytes) / 1e6, reduction(link));
}

void append_link(std::string& page, const LinkReport& link) {
  page += "<h2>The link to the fleet</h2><p class=\"story\">" + html_text(link_sentence(link)) +
          "</p><table><thead><tr><th>press<th>strokes<th>arrived<th>of them late<th>repeated, dropped by the "
          "listener</tr></thead><tbody>";
  for (const LinkReport::Press& press : link.presses) {
    fmt::format_to(std::back_inserter(page), "<tr><td>{}<td>{}<td><b class=\"{}\">{}</b><td>{}<td>{}</tr>",
                   html_text(press.name), press.strokes, press.arrived == press.strokes ? "ok" : "no", press.arrived,
                   press.late, press.repeated);
  }
  page += "</tbody></table>";
  const Chart chart{.x_label = "seconds",
                    .y_label = "messages",
                    .series = {{.name = "waiting", .css_class = "line", .points = link.waiting}},
                    .marks = {{link.cut_s, "broker killed", "bad", true}, {link.mended_s, "back", "none", true}}};
  page += figure(to_svg(chart), "Messages that waited on the box, as Prometheus saw it.");
}

}  // namespace

LatencyFigures latency_figures(const AssetReport& asset) {
  std::vector<double> values = latencies_us(asset);
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto rank = [&values](double share) {
    const auto index = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::clamp<size_t>(index, 1, values.size()) - 1];
  };
  return {rank(0.5), rank(0.99), rank(0.999), values.back(), values.size()};
}

std::string to_html(const DemoReport& report) {
  std::string page = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">"
      "<title>{0}</title><style>{2}</style></head><body><h1>{0}</h1><p class=\"sub\">{1}</p>",
      html_text(report.title), html_text(report.subtitle), kStyle);
  append_table(page, report);
  for (const std::string& note : report.notes) page += "<p class=\"sub\">" + html_text(note) + "</p>";
  if (report.link) append_link(page, *report.link);
  for (const AssetReport& asset : report.assets) append_asset(page, asset);
  return page + "</body></html>\n";
}

std::string to_text(const DemoReport& report) {
  std::string text = fmt::format("{:<18}{:>10}{:>10}{:>7}{:>8}{:>9}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}\n", "press",
                                 "triggered", "records", "NO_GO", "sensor", "no verd.", "false", "warning", "failure",
                                 "P50 us", "P99 us", "P99.9", "max us", "n");
  for (const AssetReport& a : report.assets) {
    const LatencyFigures l = latency_figures(a);
    text +=
        fmt::format("{:<18}{:>10}{:>10}{:>7}{:>8}{:>9}{:>7}{:>9}{:>9}{:>9.0f}{:>9.0f}{:>9.0f}{:>9.0f}{:>8}\n", a.name,
                    a.triggered, a.recorded, a.no_go, a.sensor_faults, a.no_verdict, or_dash(a.false_alarms),
                    or_dash(a.first_warning), or_dash(a.failure), l.p50_us, l.p99_us, l.p999_us, l.max_us, l.n);
  }
  if (!report.link) return text;
  text += fmt::format("\n{:<18}{:>10}{:>10}{:>10}{:>10}\n", "link", "strokes", "arrived", "late", "repeated");
  for (const LinkReport::Press& press : report.link->presses) {
    text += fmt::format("{:<18}{:>10}{:>10}{:>10}{:>10}\n", press.name, press.strokes, press.arrived, press.late,
                        press.repeated);
  }
  return text + link_sentence(*report.link) + "\n";
}

}  // namespace millwright::lab
