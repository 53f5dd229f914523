// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/expiry.h"

#include <algorithm>
#include <chrono>

namespace millwright::net::tuf {

Result<int64_t> parse_expiry(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  const bool formed = text.size() == kForm.size() &&
                      std::equal(text.begin(), text.end(), kForm.begin(),
                                 [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
  if (!formed) return fail(ErrorCode::kInvalidInput, "a time looks like 2030-01-31T12:00:00Z");
  const auto number = [text](size_t at, size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) value = value * 10 + (c - '0');
    return value;
  };
  using namespace std::chrono;
  const year_month_day day{year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                           std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  if (!day.ok() || number(0, 4) < 1970 || hour > 23 || minute > 59 || second > 59) {
    return fail(ErrorCode::kInvalidInput, "there is no such time: {}", text);
  }
  return int64_t{sys_days(day).time_since_epoch().count()} * 86'400 + hour * 3'600 + minute * 60 + second;
}

std::string format_expiry(int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const auto date = floor<days>(time);
  const year_month_day day{date};
  const hh_mm_ss clock{time - date};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

}  // namespace millwright::net::tuf
