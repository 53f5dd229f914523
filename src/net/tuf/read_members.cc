// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/read_members.h"

#include <nlohmann/json.hpp>

#include "net/tuf/metadata.h"

namespace millwright::net::tuf {
namespace {

using nlohmann::json;

Result<const json*> member(const json& object, std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end()) return fail(ErrorCode::kInvalidInput, "'{}' is missing", key);
  return &*it;
}

// Digits of a hash, lower-case, of exactly this many bytes.
Result<std::string> digest_of(const json& value, std::string_view kind, size_t bytes) {
  if (!value.is_string()) return fail(ErrorCode::kInvalidInput, "hash '{}' must be a text", kind);
  const auto raw = from_hex(value.get_ref<const std::string&>());
  if (!raw || raw->size() != bytes) {
    return fail(ErrorCode::kInvalidInput, "hash '{}' must be {} hexadecimal digits", kind, 2 * bytes);
  }
  return to_hex(std::span(reinterpret_cast<const unsigned char*>(raw->data()), raw->size()));
}

}  // namespace

Result<const json*> object_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_object()) return fail(ErrorCode::kInvalidInput, "'{}' must be an object", key);
  return value;
}

Result<const json*> array_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_array()) return fail(ErrorCode::kInvalidInput, "'{}' must be an array", key);
  return value;
}

Result<std::string> text_of(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_string()) return fail(ErrorCode::kInvalidInput, "'{}' must be a text", key);
  return value->get<std::string>();
}

Result<std::string> name_at(const json& object, std::string_view key) {
  std::string text = MW_TRY(text_of(object, key));
  if (text.size() > kMaxNameBytes) return fail(ErrorCode::kTooLarge, "'{}' is longer than {}", key, kMaxNameBytes);
  return text;
}

Result<uint64_t> whole_at(const json& object, std::string_view key, uint64_t least) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_number_unsigned() || value->get<uint64_t>() < least) {
    return fail(ErrorCode::kInvalidInput, "'{}' must be a whole number of at least {}", key, least);
  }
  return value->get<uint64_t>();
}

Result<bool> flag_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_boolean()) return fail(ErrorCode::kInvalidInput, "'{}' must be true or false", key);
  return value->get<bool>();
}

Result<std::vector<std::string>> names_at(const json& object, std::string_view key, size_t limit) {
  const json* array = MW_TRY(array_at(object, key));
  if (array->size() > limit) return fail(ErrorCode::kTooLarge, "'{}' has more than {} entries", key, limit);
  std::vector<std::string> names;
  names.reserve(array->size());
  for (const json& entry : *array) {
    if (!entry.is_string() || entry.get_ref<const std::string&>().size() > kMaxNameBytes) {
      return fail(ErrorCode::kInvalidInput, "'{}' must hold texts of at most {} bytes", key, kMaxNameBytes);
    }
    names.push_back(entry.get<std::string>());
  }
  return names;
}

Result<Hashes> hashes_at(const json& object) {
  const json* stated = MW_TRY(object_at(object, "hashes"));
  Hashes hashes;
  if (const auto it = stated->find("sha256"); it != stated->end()) hashes.sha256 = MW_TRY(digest_of(*it, "sha256", 32));
  if (const auto it = stated->find("sha512"); it != stated->end()) hashes.sha512 = MW_TRY(digest_of(*it, "sha512", 64));
  if (!hashes.stated()) return fail(ErrorCode::kInvalidInput, "'hashes' has neither sha256 nor sha512");
  return hashes;
}

}  // namespace millwright::net::tuf
