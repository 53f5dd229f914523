// SPDX-License-Identifier: Apache-2.0
// The bytes that a TUF signature is over: canonical JSON in the OLPC form, as securesystemslib writes it. Members are
// sorted by code point, nothing stands between tokens, and in a text only the quote and the backslash are escaped (so
// that it is not always JSON again: a line feed in a text stays one).
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::net::tuf {

// kInvalidInput where a number has a fraction or does not fit 64 bits: the form has none. Never throws.
Result<std::string> canonical_json(const nlohmann::json& value);

// The canonical form as JSON: control characters, which only stand inside of texts, are escaped. Its canonical form is
// `canonical`.
std::string as_json(std::string_view canonical);

}  // namespace millwright::net::tuf
