// SPDX-License-Identifier: Apache-2.0
#include "metrics/registry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>
#include <variant>

#include "base/check.h"

namespace millwright::metrics {
namespace {

// A number at its longest: -2.2250738585072014e-308.
constexpr size_t kMaxNumber = 32;

bool is_name(std::string_view name, bool with_colon) {
  const auto letter = [with_colon](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (with_colon && c == ':');
  };
  if (name.empty() || !letter(name.front())) return false;
  return std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void append_number(std::string& page, double value) {
  if (std::isnan(value)) {
    page += "NaN";
  } else if (std::isinf(value)) {
    page += value > 0.0 ? "+Inf" : "-Inf";
  } else {
    char text[kMaxNumber];
    page.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
}

void append_number(std::string& page, uint64_t value) {
  char text[kMaxNumber];
  page.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string braces(const std::string& labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  const std::string_view comma = labels.empty() || more.empty() ? "" : ",";
  return "{" + labels + std::string(comma) + std::string(more) + "}";
}

// One series: what stands before its number or numbers, line by line, formatted already.
struct CounterSeries {
  std::string labels;
  std::string line;
  Counter metric;
};
struct GaugeSeries {
  std::string labels;
  std::string line;
  Gauge metric;
};
struct HistogramSeries {
  HistogramSeries(std::string text, std::span<const double> bounds) : labels(std::move(text)), metric(bounds) {}
  std::string labels;
  std::vector<std::string> buckets;  // one per bound, and +Inf
  std::string sum;
  std::string count;
  Histogram metric;
};

void prepare(CounterSeries& series, std::string_view name) {
  series.line = std::string(name) + braces(series.labels) + ' ';
}
void prepare(GaugeSeries& series, std::string_view name) {
  series.line = std::string(name) + braces(series.labels) + ' ';
}
void prepare(HistogramSeries& series, std::string_view name) {
  const std::span<const double> bounds = series.metric.bounds();
  for (size_t i = 0; i <= bounds.size(); ++i) {
    std::string bound;
    append_number(bound, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity());
    series.buckets.push_back(std::string(name) + "_bucket" + braces(series.labels, "le=\"" + bound + "\"") + ' ');
  }
  series.sum = std::string(name) + "_sum" + braces(series.labels) + ' ';
  series.count = std::string(name) + "_count" + braces(series.labels) + ' ';
}

void render_one(const CounterSeries& series, std::string& page) {
  page += series.line;
  append_number(page, series.metric.value());
  page += '\n';
}
void render_one(const GaugeSeries& series, std::string& page) {
  page += series.line;
  append_number(page, series.metric.value());
  page += '\n';
}
// The count is the sum of the buckets as they were read, so that a page never contradicts itself.
void render_one(const HistogramSeries& series, std::string& page) {
  uint64_t total = 0;
  for (size_t i = 0; i < series.buckets.size(); ++i) {
    page += series.buckets[i];
    append_number(page, total += series.metric.count(i));
    page += '\n';
  }
  page += series.sum;
  append_number(page, series.metric.sum());
  page += '\n';
  page += series.count;
  append_number(page, total);
  page += '\n';
}

// Addresses stay as they are while series are added and removed.
template <typename Series>
using SeriesList = std::deque<std::unique_ptr<Series>>;

template <typename Metric>
struct SeriesOf;
template <>
struct SeriesOf<Counter> {
  using Type = CounterSeries;
  static constexpr std::string_view kName = "counter";
};
template <>
struct SeriesOf<Gauge> {
  using Type = GaugeSeries;
  static constexpr std::string_view kName = "gauge";
};
template <>
struct SeriesOf<Histogram> {
  using Type = HistogramSeries;
  static constexpr std::string_view kName = "histogram";
};

}  // namespace

struct Registry::FamilyPage {
  std::string name;
  std::string head;  // HELP and TYPE lines
  std::variant<SeriesList<CounterSeries>, SeriesList<GaugeSeries>, SeriesList<HistogramSeries>> series;
  // Given out beyond kMaxSeries: works, is not shown.
  std::variant<std::monostate, std::unique_ptr<CounterSeries>, std::unique_ptr<GaugeSeries>,
               std::unique_ptr<HistogramSeries>>
      beyond;
};

std::string format_labels(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    MW_CHECK(is_name(name, false), "a label's name is [a-zA-Z_][a-zA-Z0-9_]*");
    text += (text.empty() ? "" : ",") + name + "=\"" + escaped(value, true) + "\"";
  }
  return text;
}

Registry::Registry() = default;
Registry::~Registry() = default;

template <typename Metric, typename Make>
Metric& Registry::find_or_make(const Family& family, const Labels& labels, const Make& make) {
  using Series = typename SeriesOf<Metric>::Type;
  MW_CHECK(is_name(family.name, true), "a metric's name is [a-zA-Z_:][a-zA-Z0-9_:]*");
  const std::lock_guard lock(mutex_);
  auto page = std::ranges::find(families_, family.name, [](const auto& f) { return std::string_view(f->name); });
  if (page == families_.end()) {
    auto made = std::make_unique<FamilyPage>();
    made->name = family.name;
    made->head = "# HELP " + made->name + ' ' + escaped(family.help, false) + "\n# TYPE " + made->name + ' ' +
                 std::string(SeriesOf<Metric>::kName) + '\n';
    made->series = SeriesList<Series>();
    page = families_.insert(families_.end(), std::move(made));
  }
  auto* list = std::get_if<SeriesList<Series>>(&(*page)->series);
  MW_CHECK(list != nullptr, "a metric's name stands for one kind only");
  std::string text = format_labels(labels);
  const auto found = std::ranges::find(*list, text, [](const auto& s) -> const std::string& { return s->labels; });
  if (found != list->end()) return (*found)->metric;

  std::unique_ptr<Series> made = make(std::move(text));
  prepare(*made, (*page)->name);
  if (series_ < kMaxSeries) {
    ++series_;
    return list->emplace_back(std::move(made))->metric;
  }
  ++refused_;
  if (!std::holds_alternative<std::unique_ptr<Series>>((*page)->beyond)) (*page)->beyond = std::move(made);
  return std::get<std::unique_ptr<Series>>((*page)->beyond)->metric;
}

Counter& Registry::counter(const Family& family, const Labels& labels) {
  return find_or_make<Counter>(family, labels, [](std::string text) {
    auto series = std::make_unique<CounterSeries>();
    series->labels = std::move(text);
    return series;
  });
}

Gauge& Registry::gauge(const Family& family, const Labels& labels) {
  return find_or_make<Gauge>(family, labels, [](std::string text) {
    auto series = std::make_unique<GaugeSeries>();
    series->labels = std::move(text);
    return series;
  });
}

Histogram& Registry::histogram(const Family& family, std::span<const double> bounds, const Labels& labels) {
  MW_CHECK(bounds.size() <= kMaxBuckets && std::ranges::is_sorted(bounds), "bounds ascend, kMaxBuckets at most");
  return find_or_make<Histogram>(family, labels, [bounds](std::string text) {
    return std::make_unique<HistogramSeries>(std::move(text), bounds);
  });
}

void Registry::remove(std::string_view name, const Labels& labels) {
  const std::string text = format_labels(labels);
  const std::lock_guard lock(mutex_);
  const auto page = std::ranges::find(families_, name, [](const auto& f) { return std::string_view(f->name); });
  if (page == families_.end()) return;
  std::visit([&](auto& list) { series_ -= std::erase_if(list, [&](const auto& s) { return s->labels == text; }); },
             (*page)->series);
}

void Registry::before_scrape(std::function<void()> update) {
  const std::lock_guard lock(scrape_mutex_);
  updates_.push_back(std::move(update));
}

void Registry::render(std::string& page) {
  const std::lock_guard scraping(scrape_mutex_);
  for (const auto& update : updates_) update();
  const std::lock_guard lock(mutex_);
  for (const auto& family : families_) {
    std::visit(
        [&](const auto& list) {
          if (!list.empty()) page += family->head;
          for (const auto& series : list) render_one(*series, page);
        },
        family->series);
  }
}

size_t Registry::series() const {
  const std::lock_guard lock(mutex_);
  return series_;
}

uint64_t Registry::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace millwright::metrics
