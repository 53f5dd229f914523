// SPDX-License-Identifier: Apache-2.0
// Small charts as SVG text, for reports that are one file and need no network. Colours are CSS classes of the page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace millwright::lab {

struct Series {
  std::string name;
  std::string css_class;  // "good", "bad", "warn", "none", "line": the page defines their colours
  std::vector<std::pair<double, double>> points;
  bool dots = false;  // dots instead of a line
};

// A line across the chart at one value, with a label.
struct Mark {
  double value = 0.0;
  std::string label;
  std::string css_class;
  bool vertical = false;
};

struct Chart {
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  std::vector<Mark> marks;
  bool log_x = false;  // points and marks at or below 0 are left out
  bool log_y = false;
  int width = 920;
  int height = 240;
};

// The chart as an <svg> element; points that are not finite are left out. An empty chart says "no data".
std::string to_svg(const Chart& chart);

// A histogram of positive values over logarithmic bins, as a chart of bars drawn by lines: latencies.
Chart latency_histogram(const std::vector<double>& values_us, double limit_us);

// Text made safe for HTML and attributes.
std::string html_text(std::string_view text);

}  // namespace millwright::lab
