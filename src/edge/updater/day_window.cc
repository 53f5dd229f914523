// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/day_window.h"

#include <charconv>
#include <optional>

namespace millwright::edge {
namespace {

constexpr int kMinutesPerHour = 60;
constexpr int kMinutesPerDay = 24 * kMinutesPerHour;

// "hh:mm", 00:00 to 24:00.
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  int hour = 0;
  int minute = 0;
  const char* const begin = text.data();
  if (std::from_chars(begin, begin + 2, hour).ptr != begin + 2) return std::nullopt;
  if (std::from_chars(begin + 3, begin + 5, minute).ptr != begin + 5) return std::nullopt;
  const int all = hour * kMinutesPerHour + minute;
  if (hour < 0 || minute < 0 || minute >= kMinutesPerHour || all > kMinutesPerDay) return std::nullopt;
  return all;
}

}  // namespace

Result<DayWindow> parse_day_window(std::string_view text) {
  const size_t dash = text.find('-');
  const auto from = minute_of(text.substr(0, dash));
  const auto until = dash == std::string_view::npos ? std::nullopt : minute_of(text.substr(dash + 1));
  if (!from || !until || *from == *until) {
    return fail(ErrorCode::kInvalidInput, "'{}' is no time of the day; as \"02:00-04:30\"", text);
  }
  return DayWindow{.from_min = *from, .until_min = *until};
}

bool within(const DayWindow& window, int minute) {
  if (window.from_min < window.until_min) return minute >= window.from_min && minute < window.until_min;
  return minute >= window.from_min || minute < window.until_min;
}

}  // namespace millwright::edge
