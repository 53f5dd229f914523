// SPDX-License-Identifier: Apache-2.0
// The hours of a day in which a swap may be.
#pragma once

#include <string_view>

#include "base/error.h"

namespace millwright::edge {

struct DayWindow {
  int from_min = 0;  // minutes since midnight, this box's time
  int until_min = 24 * 60;
  bool operator==(const DayWindow&) const = default;
};

// "02:00-04:30"; "22:00-02:00" is over midnight. kInvalidInput says what it should look like.
Result<DayWindow> parse_day_window(std::string_view text);
// `minute`: 0 to 1439.
bool within(const DayWindow& window, int minute);

}  // namespace millwright::edge
