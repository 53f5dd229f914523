// SPDX-License-Identifier: Apache-2.0
#include "model/json_fields.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

namespace millwright::model {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

// Refuses what a document may hold by the letter of JSON but never by ours.
class Guard {
 public:
  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) problem_ = "nested deeper than 16";
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end && !keys_.empty()) keys_.pop_back();
    if (event == json::parse_event_t::key && !keys_.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) problem_ = "key '" + key + "' stands twice";
    }
    return problem_.empty();
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

Result<const json*> member(const json& object, std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end()) return fail(ErrorCode::kInvalidInput, "'{}' is missing", key);
  return &*it;
}

}  // namespace

Result<json> parse_json(std::string_view text) {
  Guard guard;
  json value = json::parse(
      text, [&guard](int depth, json::parse_event_t event, json& parsed) { return guard(depth, event, parsed); },
      /*allow_exceptions=*/false);
  if (!guard.problem().empty()) return fail(ErrorCode::kInvalidInput, "JSON: {}", guard.problem());
  if (value.is_discarded()) return fail(ErrorCode::kCorrupt, "not valid JSON");
  return value;
}

std::string json_line(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Status require_exactly(const json& object, std::initializer_list<std::string_view> keys) {
  if (!object.is_object()) return fail(ErrorCode::kInvalidInput, "must be a JSON object");
  for (const std::string_view key : keys) {
    if (!object.contains(key)) return fail(ErrorCode::kInvalidInput, "'{}' is missing", key);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      return fail(ErrorCode::kInvalidInput, "'{}' is unknown", key);
    }
  }
  return {};
}

Result<double> number_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_number()) return fail(ErrorCode::kInvalidInput, "'{}' must be a number", key);
  const double number = value->get<double>();
  if (!std::isfinite(number)) return fail(ErrorCode::kInvalidInput, "'{}' must be finite", key);
  return number;
}

Result<uint64_t> count_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_number_unsigned())
    return fail(ErrorCode::kInvalidInput, "'{}' must be a whole number, 0 or more", key);
  return value->get<uint64_t>();
}

Result<std::string> text_at(const json& object, std::string_view key) {
  const json* value = MW_TRY(member(object, key));
  if (!value->is_string()) return fail(ErrorCode::kInvalidInput, "'{}' must be a string", key);
  return value->get<std::string>();
}

}  // namespace millwright::model
