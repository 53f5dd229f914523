// SPDX-License-Identifier: Apache-2.0
// Members of a JSON object, each of its kind; what else is in the object does not matter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "net/tuf/hashes.h"

namespace millwright::net::tuf {

// kInvalidInput where the member is missing or of another kind.
Result<const nlohmann::json*> object_at(const nlohmann::json& object, std::string_view key);
Result<const nlohmann::json*> array_at(const nlohmann::json& object, std::string_view key);
// Of at most kMaxNameBytes.
Result<std::string> name_at(const nlohmann::json& object, std::string_view key);
// Of any length.
Result<std::string> text_of(const nlohmann::json& object, std::string_view key);
Result<uint64_t> whole_at(const nlohmann::json& object, std::string_view key, uint64_t least);
Result<bool> flag_at(const nlohmann::json& object, std::string_view key);
// An array of names, at most `limit`.
Result<std::vector<std::string>> names_at(const nlohmann::json& object, std::string_view key, size_t limit);
// "hashes": those that we know, at least one; digits may be of either case.
Result<Hashes> hashes_at(const nlohmann::json& object);

}  // namespace millwright::net::tuf
