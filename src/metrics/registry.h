// SPDX-License-Identifier: Apache-2.0
// All metrics of a process and their page in Prometheus' text format, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats). What stands before a number is formatted once, when the series
// is made: a scrape writes numbers only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/metric.h"

namespace millwright::metrics {

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
// A label whose values keep coming would otherwise eat memory for years: beyond it new series are counted, not shown.
inline constexpr size_t kMaxSeries = 20'000;

// Name and value, in the order in which they are shown. Values are any text; names are [a-zA-Z_][a-zA-Z0-9_]*.
using Labels = std::vector<std::pair<std::string, std::string>>;

// What a family is: the same for all its series, and the first to say it decides.
struct Family {
  std::string_view name;  // [a-zA-Z_:][a-zA-Z0-9_:]*
  std::string_view help;  // a sentence without its full stop
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The series with these labels, made at the first call. Takes a lock and allocates: ask once and keep the reference.
  // A name that was used for another kind, or is none, is a bug.
  Counter& counter(const Family& family, const Labels& labels = {});
  Gauge& gauge(const Family& family, const Labels& labels = {});
  Histogram& histogram(const Family& family, std::span<const double> bounds, const Labels& labels = {});
  // Takes a series off the page: for labels whose values change, as a version's text does. The reference is gone.
  void remove(std::string_view name, const Labels& labels);

  // Called at the beginning of each scrape, on the scraping thread, to bring in what is counted elsewhere.
  void before_scrape(std::function<void()> update);

  // Appends the page, families in the order in which they were made. Any thread.
  void render(std::string& page);

  [[nodiscard]] size_t series() const;
  // Series that were asked for beyond kMaxSeries.
  [[nodiscard]] uint64_t refused() const;

 private:
  struct FamilyPage;
  template <typename Metric, typename Make>
  Metric& find_or_make(const Family& family, const Labels& labels, const Make& make);

  mutable std::mutex mutex_;
  std::mutex scrape_mutex_;
  std::vector<std::unique_ptr<FamilyPage>> families_;
  std::vector<std::function<void()>> updates_;
  size_t series_ = 0;
  uint64_t refused_ = 0;
};

// Exactly the text that stands between braces: name="value" pairs with \, " and line ends escaped.
std::string format_labels(const Labels& labels);

}  // namespace millwright::metrics
