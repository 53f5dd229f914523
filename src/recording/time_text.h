// SPDX-License-Identifier: Apache-2.0
// Times as they stand in tables that people and loggers write.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace millwright::recording {

// Seconds since 1970-01-01 of "2020-02-08 13:30:47.25", "2020-02-08T13:30:47Z", "08.02.2020 13:30:47,25" (day first),
// "02/08/2020 13:30" (month first) or a date alone; seconds since midnight of "13:30:47.25". A zone after it is not
// read: only differences are used. No value for anything else, plain numbers included.
std::optional<double> parse_time_text(std::string_view text);

// For a column of numbers: seconds per unit where its name says that it is a time ("time", "t [ms]", "timestamp_us"),
// no value where it does not. `first_value` tells epochs in ms, us and ns by their size.
std::optional<double> time_unit_s(std::string_view name, double first_value);

// Hz out of time stamps in seconds, or 0 where they do not tell: fewer than 2, or any step backwards or all equal.
// The median spacing, so that a missing row does not matter; the mean where stamps repeat, being coarser than the
// sampling.
double rate_of(std::span<const double> stamps);

// Whether more than one step in ten differs from the others by more than half.
bool is_uneven(std::span<const double> stamps, double rate_hz);

}  // namespace millwright::recording
