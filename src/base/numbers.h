// SPDX-License-Identifier: Apache-2.0
// Numbers as text, the same in every locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millwright {

// The whole text must be one number (leading '+' allowed, no spaces). "nan", "inf" and "-inf" are numbers here: the
// caller decides whether they are welcome.
std::optional<double> parse_double(std::string_view text);
std::optional<int64_t> parse_int(std::string_view text);

// Removes spaces, tabs, CR and LF on both sides.
std::string_view trim(std::string_view text);

}  // namespace millwright
