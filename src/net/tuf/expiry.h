// SPDX-License-Identifier: Apache-2.0
// Times in metadata: "2030-01-31T12:00:00Z", UTC, whole seconds (section 4.2.1 of the specification).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::net::tuf {

// Seconds since 1970-01-01 UTC; years 1970 to 9999. kInvalidInput for any other form.
Result<int64_t> parse_expiry(std::string_view text);
std::string format_expiry(int64_t seconds);

}  // namespace millwright::net::tuf
