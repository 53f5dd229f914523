// SPDX-License-Identifier: Apache-2.0
// FeatureSpec as JSON, see FORMAT.md. Reading is strict: a key that is unknown, missing or given twice is refused, so
// that a spec of another version can never be half understood.
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "signal/feature_spec.h"

namespace millwright::signal {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "millwright-features";
constexpr int kVersion = 1;
constexpr size_t kMaxJsonBytes = 1 << 18;
constexpr int kMaxJsonDepth = 8;
constexpr size_t kMaxJsonEntries = 4096;

// One JSON object, read key by key; `place` is named in every message.
class Object {
 public:
  static Result<Object> of(const Json& json, std::string place, std::initializer_list<std::string_view> keys) {
    if (!json.is_object()) return fail(ErrorCode::kInvalidInput, "{}: must be an object", place);
    for (const auto& [key, value] : json.items()) {
      if (std::ranges::find(keys, std::string_view(key)) == keys.end()) {
        return fail(ErrorCode::kInvalidInput, "{}: unknown key '{}'", place, key.substr(0, 64));
      }
    }
    for (std::string_view key : keys) {
      if (!json.contains(key)) return fail(ErrorCode::kInvalidInput, "{}: key '{}' is missing", place, key);
    }
    return Object(json, std::move(place));
  }

  Result<size_t> size(const char* key) const {
    const Json& value = json_->at(key);
    if (!value.is_number_unsigned() || value.get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
      return fail(ErrorCode::kInvalidInput, "{}.{}: must be a whole number from 0 to 2^32 - 1", place_, key);
    }
    return value.get<size_t>();
  }
  Result<double> number(const char* key) const {
    const Json& value = json_->at(key);
    if (!value.is_number()) return fail(ErrorCode::kInvalidInput, "{}.{}: must be a number", place_, key);
    return value.get<double>();
  }
  Result<std::string> text(const char* key) const {
    const Json& value = json_->at(key);
    if (!value.is_string()) return fail(ErrorCode::kInvalidInput, "{}.{}: must be a string", place_, key);
    return value.get<std::string>();
  }
  Result<std::vector<double>> numbers(const char* key) const {
    const Json& list = MW_TRY(array(key));
    std::vector<double> values;
    for (const Json& value : list) {
      if (!value.is_number()) {
        return fail(ErrorCode::kInvalidInput, "{}.{}[{}]: must be a number", place_, key, values.size());
      }
      values.push_back(value.get<double>());
    }
    return values;
  }
  Result<std::vector<std::string>> texts(const char* key) const {
    const Json& list = MW_TRY(array(key));
    std::vector<std::string> values;
    for (const Json& value : list) {
      if (!value.is_string()) {
        return fail(ErrorCode::kInvalidInput, "{}.{}[{}]: must be a string", place_, key, values.size());
      }
      values.push_back(value.get<std::string>());
    }
    return values;
  }
  Result<std::reference_wrapper<const Json>> array(const char* key) const {
    const Json& value = json_->at(key);
    if (!value.is_array() || value.size() > kMaxJsonEntries) {
      return fail(ErrorCode::kInvalidInput, "{}.{}: must be an array of at most {} entries", place_, key,
                  kMaxJsonEntries);
    }
    return std::cref(value);
  }

 private:
  Object(const Json& json, std::string place) : json_(&json), place_(std::move(place)) {}
  const Json* json_;
  std::string place_;
};

Result<FeatureGroup> parse_spectrum(const Json& json, const std::string& place) {
  const Object object = MW_TRY(Object::of(json, place, {"type", "nfft", "edges_hz"}));
  return SpectrumFeatures{.nfft = MW_TRY(object.size("nfft")), .edges_hz = MW_TRY(object.numbers("edges_hz"))};
}

Result<FeatureGroup> parse_envelope(const Json& json, const std::string& place) {
  const Object object = MW_TRY(Object::of(json, place, {"type", "nfft", "low_hz", "high_hz", "bins", "groups"}));
  return EnvelopeFeatures{.nfft = MW_TRY(object.size("nfft")),
                          .low_hz = MW_TRY(object.number("low_hz")),
                          .high_hz = MW_TRY(object.number("high_hz")),
                          .bins = MW_TRY(object.size("bins")),
                          .groups = MW_TRY(object.size("groups"))};
}

Result<FeatureGroup> parse_log_mel(const Json& json, const std::string& place) {
  const Object object = MW_TRY(Object::of(json, place, {"type", "frame", "hop", "bands", "high_hz"}));
  return LogMelFeatures{.frame = MW_TRY(object.size("frame")),
                        .hop = MW_TRY(object.size("hop")),
                        .bands = MW_TRY(object.size("bands")),
                        .high_hz = MW_TRY(object.number("high_hz"))};
}

Result<FeatureGroup> parse_group(const Json& json, const std::string& place) {
  const auto type = json.is_object() ? json.find("type") : json.end();
  if (!json.is_object() || type == json.end() || !type->is_string()) {
    return fail(ErrorCode::kInvalidInput, "{}: must be an object with a string 'type'", place);
  }
  const std::string& name = type->get_ref<const std::string&>();
  if (name == "time") {
    MW_TRY(Object::of(json, place, {"type"}));
    return TimeFeatures{};
  }
  if (name == "spectrum") return parse_spectrum(json, place);
  if (name == "envelope") return parse_envelope(json, place);
  if (name == "log_mel") return parse_log_mel(json, place);
  if (name == "curve") {
    const Object object = MW_TRY(Object::of(json, place, {"type", "points"}));
    return CurveFeatures{.points = MW_TRY(object.size("points"))};
  }
  if (name == "curve_statistics") {
    MW_TRY(Object::of(json, place, {"type"}));
    return CurveStatistics{};
  }
  return fail(ErrorCode::kUnsupported,
              "{}.type: '{}' is not known; there are time, spectrum, envelope, log_mel, curve and curve_statistics",
              place, name.substr(0, 64));
}

// The library keeps the last of two equal keys and nests without bound; both are refused while parsing.
Result<Json> parse_bounded(std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    return fail(ErrorCode::kTooLarge, "feature spec: {} bytes; at most {} are allowed", text.size(), kMaxJsonBytes);
  }
  std::vector<std::set<std::string>> keys;
  std::string trouble;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxJsonDepth && trouble.empty()) trouble = fmt::format("nested deeper than {}", kMaxJsonDepth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second && trouble.empty()) {
      trouble = fmt::format("key '{}' stands twice in one object", parsed.get<std::string>().substr(0, 64));
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, watch, /*allow_exceptions=*/true);
  } catch (const Json::exception& error) {
    if (trouble.empty()) return fail(ErrorCode::kInvalidInput, "feature spec: not JSON: {}", error.what());
  }
  if (!trouble.empty()) return fail(ErrorCode::kInvalidInput, "feature spec: {}", trouble);
  return json;
}

Json group_json(const TimeFeatures&) { return {{"type", "time"}}; }
Json group_json(const SpectrumFeatures& g) {
  return {{"type", "spectrum"}, {"nfft", g.nfft}, {"edges_hz", g.edges_hz}};
}
Json group_json(const EnvelopeFeatures& g) {
  return {{"type", "envelope"},   {"nfft", g.nfft}, {"low_hz", g.low_hz},
          {"high_hz", g.high_hz}, {"bins", g.bins}, {"groups", g.groups}};
}
Json group_json(const LogMelFeatures& g) {
  return {{"type", "log_mel"}, {"frame", g.frame}, {"hop", g.hop}, {"bands", g.bands}, {"high_hz", g.high_hz}};
}
Json group_json(const CurveFeatures& g) { return {{"type", "curve"}, {"points", g.points}}; }
Json group_json(const CurveStatistics&) { return {{"type", "curve_statistics"}}; }

}  // namespace

Result<FeatureSpec> FeatureSpec::parse_json(std::string_view text) {
  const Json json = MW_TRY(parse_bounded(text));
  const Object object = MW_TRY(Object::of(
      json, "feature spec", {"format", "version", "name", "channels", "length", "rate_hz", "channel_names", "groups"}));
  if (MW_TRY(object.text("format")) != kFormat) {
    return fail(ErrorCode::kInvalidInput, "feature spec: format is not '{}'", kFormat);
  }
  if (const size_t version = MW_TRY(object.size("version")); version != kVersion) {
    return fail(ErrorCode::kUnsupported, "feature spec: version {}; this program reads version {}", version, kVersion);
  }
  FeatureSpec spec{.name = MW_TRY(object.text("name")),
                   .channels = MW_TRY(object.size("channels")),
                   .length = MW_TRY(object.size("length")),
                   .rate_hz = MW_TRY(object.number("rate_hz")),
                   .channel_names = MW_TRY(object.texts("channel_names")),
                   .groups = {}};
  const Json& groups = MW_TRY(object.array("groups"));
  if (groups.size() > kMaxGroups) {
    return fail(ErrorCode::kTooLarge, "feature spec: {} groups; at most {} are allowed", groups.size(), kMaxGroups);
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    spec.groups.push_back(MW_TRY(parse_group(groups[i], fmt::format("groups[{}]", i))));
  }
  if (Status status = spec.validate(); !status) return with_context(std::move(status).error(), "feature spec");
  return spec;
}

std::string FeatureSpec::to_json() const {
  Json list = Json::array();
  for (const FeatureGroup& group : groups) {
    list.push_back(std::visit([](const auto& g) { return group_json(g); }, group));
  }
  const Json json = {{"format", kFormat}, {"version", kVersion}, {"name", name},   {"channels", channels},
                     {"length", length},  {"rate_hz", rate_hz},  {"groups", list}, {"channel_names", channel_names}};
  // A name that is not UTF-8 would make the library throw; it is written with replacement characters instead.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace millwright::signal
