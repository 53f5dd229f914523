// SPDX-License-Identifier: Apache-2.0
// Strict reading of small JSON objects from strangers: every member is there, has its type and is finite, and no
// member is there that nobody asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::model {

// Parses one JSON value; duplicate keys and nesting deeper than 16 are refused. Never throws.
Result<nlohmann::json> parse_json(std::string_view text);

// One line of JSON, whatever the strings in it hold: bytes that are not UTF-8 are replaced. Never throws.
std::string json_line(const nlohmann::json& value);

// All of `keys` must be members of the object, and no others.
Status require_exactly(const nlohmann::json& object, std::initializer_list<std::string_view> keys);

// A member by key. The caller has made sure that `object` is an object.
Result<double> number_at(const nlohmann::json& object, std::string_view key);
Result<uint64_t> count_at(const nlohmann::json& object, std::string_view key);
Result<std::string> text_at(const nlohmann::json& object, std::string_view key);

}  // namespace millwright::model
