// SPDX-License-Identifier: Apache-2.0
#include "recording/time_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/numbers.h"

namespace millwright::recording {
namespace {

struct Number {
  int value = 0;
  size_t digits = 0;
};

// One to four digits; no value where there are none or more.
std::optional<Number> take_number(std::string_view& text) {
  Number number;
  while (number.digits < text.size() && std::isdigit(static_cast<unsigned char>(text[number.digits])) != 0) {
    if (number.digits == 4) return std::nullopt;
    number.value = number.value * 10 + (text[number.digits] - '0');
    ++number.digits;
  }
  if (number.digits == 0) return std::nullopt;
  text.remove_prefix(number.digits);
  return number;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Seconds since 1970 of the day, with the text moved behind it.
std::optional<double> take_date(std::string_view& text) {
  std::string_view rest = text;
  const auto a = take_number(rest);
  if (!a || rest.empty() || std::string_view("-./").find(rest[0]) == std::string_view::npos) return std::nullopt;
  const char separator = rest[0];
  rest.remove_prefix(1);
  const auto b = take_number(rest);
  if (!b || !take(rest, separator)) return std::nullopt;
  const auto c = take_number(rest);
  if (!c) return std::nullopt;
  Number year = *c;
  Number month = *b;
  Number day = *a;
  if (a->digits == 4) {
    year = *a;
    day = *c;
  } else if (separator == '/') {
    month = *a;
    day = *b;
  }
  if (year.digits != 4) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year.value),
                                         std::chrono::month(static_cast<unsigned>(month.value)),
                                         std::chrono::day(static_cast<unsigned>(day.value))};
  if (!date.ok()) return std::nullopt;
  text = rest;
  return 86400.0 * static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::optional<double> take_clock(std::string_view& text) {
  const auto hour = take_number(text);
  if (!hour || hour->value > 24 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text);
  if (!minute || minute->value > 59) return std::nullopt;
  double seconds = 3600.0 * hour->value + 60.0 * minute->value;
  if (!take(text, ':')) return seconds;
  const auto second = take_number(text);
  if (!second || second->value > 60) return std::nullopt;
  seconds += second->value;
  if (!take(text, '.') && !take(text, ',')) return seconds;
  double unit = 0.1;
  for (; !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0; text.remove_prefix(1)) {
    seconds += unit * (text[0] - '0');
    unit /= 10.0;
  }
  return seconds;
}

bool is_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z" || text == " UTC") return true;
  return (text[0] == '+' || text[0] == '-') && text.size() <= 6 &&
         text.find_first_not_of("0123456789:", 1) == std::string_view::npos;
}

std::string words_of(std::string_view name) {
  std::string words;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    words += std::isalnum(byte) != 0 || byte >= 0x80 ? static_cast<char>(std::tolower(byte)) : ' ';
  }
  return std::string(trim(words));
}

}  // namespace

std::optional<double> parse_time_text(std::string_view text) {
  const std::optional<double> date = take_date(text);
  if (date && text.empty()) return date;
  if (date && !take(text, ' ') && !take(text, 'T') && !take(text, 't')) return std::nullopt;
  const std::optional<double> clock = take_clock(text);
  if (!clock || !is_zone(text)) return std::nullopt;
  return date.value_or(0.0) + *clock;
}

std::optional<double> time_unit_s(std::string_view name, double first_value) {
  constexpr std::array<std::string_view, 10> kTimes = {"time",    "t",    "timestamp", "datetime", "date time",
                                                       "seconds", "zeit", "uhrzeit",   "elapsed",  "time stamp"};
  constexpr std::array<std::pair<std::string_view, double>, 10> kUnits = {{{" s", 1.0},
                                                                           {" sec", 1.0},
                                                                           {" seconds", 1.0},
                                                                           {" ms", 1e-3},
                                                                           {" msec", 1e-3},
                                                                           {" us", 1e-6},
                                                                           {" \xc2\xb5s", 1e-6},
                                                                           {" \xce\xbcs", 1e-6},
                                                                           {" ns", 1e-9},
                                                                           {" min", 60.0}}};
  std::string words = words_of(name);
  for (const auto& [unit, seconds] : kUnits) {
    if (!words.ends_with(unit)) continue;
    words.resize(words.size() - unit.size());
    if (std::ranges::find(kTimes, trim(words)) == kTimes.end()) return std::nullopt;
    return seconds;
  }
  if (std::ranges::find(kTimes, std::string_view(words)) == kTimes.end()) return std::nullopt;
  if (first_value > 1e17) return 1e-9;
  if (first_value > 1e14) return 1e-6;
  if (first_value > 1e11) return 1e-3;
  return 1.0;
}

double rate_of(std::span<const double> stamps) {
  if (stamps.size() < 2) return 0.0;
  std::vector<double> steps;
  steps.reserve(stamps.size() - 1);
  for (size_t i = 1; i < stamps.size(); ++i) {
    steps.push_back(stamps[i] - stamps[i - 1]);
    if (!(steps.back() >= 0.0)) return 0.0;
  }
  const double mean = (stamps.back() - stamps.front()) / static_cast<double>(steps.size());
  if (!(mean > 0.0) || !std::isfinite(mean)) return 0.0;
  if (std::ranges::find(steps, 0.0) != steps.end()) return 1.0 / mean;
  const auto middle = steps.begin() + static_cast<ptrdiff_t>(steps.size() / 2);
  std::ranges::nth_element(steps, middle);
  return 1.0 / *middle;
}

bool is_uneven(std::span<const double> stamps, double rate_hz) {
  if (rate_hz <= 0.0 || stamps.size() < 2) return false;
  size_t odd = 0;
  for (size_t i = 1; i < stamps.size(); ++i) {
    const double steps = (stamps[i] - stamps[i - 1]) * rate_hz;
    if (steps < 0.5 || steps > 1.5) ++odd;
  }
  return odd * 10 > stamps.size() - 1;
}

}  // namespace millwright::recording
