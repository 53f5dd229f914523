// SPDX-License-Identifier: Apache-2.0
#include "model/telemetry.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "model/json_fields.h"

namespace millwright::model {
namespace {

using nlohmann::json;

std::string json_text(std::string_view text) { return json_line(json(text)); }

Result<json> parse_object(std::string_view payload) {
  if (payload.size() > kMaxPayloadBytes) {
    return fail(ErrorCode::kTooLarge, "{} bytes, above {}", payload.size(), kMaxPayloadBytes);
  }
  json value = MW_TRY(parse_json(payload));
  if (!value.is_object()) return fail(ErrorCode::kInvalidInput, "must be a JSON object");
  return value;
}

Result<std::string> id_at(const json& object, std::string_view key) {
  std::string id = MW_TRY(text_at(object, key));
  MW_CHECK_OK(check_id(key, id));
  return id;
}

Result<bool> flag_at(const json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) {
    return fail(ErrorCode::kInvalidInput, "'{}' must be true or false", key);
  }
  return found->get<bool>();
}

// A number, or null for "there is none".
Result<std::optional<double>> number_or_null_at(const json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found != object.end() && found->is_null()) return std::nullopt;
  return MW_TRY(number_at(object, key));
}

Status check_range(std::string_view key, double value, double low, double high) {
  if (value >= low && value <= high) return {};
  return fail(ErrorCode::kInvalidInput, "'{}' must be {} to {}", key, low, high);
}

// The shape of format_utc: 2026-11-22T14:03:07.123456Z.
Result<std::string> timestamp_at(const json& object) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000000Z";
  std::string text = MW_TRY(text_at(object, "timestamp"));
  const auto fits = [](char c, char shape) { return shape == '0' ? c >= '0' && c <= '9' : c == shape; };
  if (text.size() != kShape.size() || !std::equal(text.begin(), text.end(), kShape.begin(), fits)) {
    return fail(ErrorCode::kInvalidInput, "'timestamp' must look like 2026-11-22T14:03:07.123456Z");
  }
  return text;
}

std::string identity_member(const MessageIdentity& identity) {
  return fmt::format(R"("message":{{"boot_id":{},"seq":{},"historical":{}}})", json_text(identity.boot_id),
                     identity.seq, identity.historical);
}

Result<MessageIdentity> identity_at(const json& object) {
  const auto found = object.find("message");
  if (found == object.end()) return fail(ErrorCode::kInvalidInput, "'message' is missing");
  MW_CHECK_OK(require_exactly(*found, {"boot_id", "seq", "historical"}));
  MessageIdentity identity;
  identity.boot_id = MW_TRY(id_at(*found, "boot_id"));
  identity.seq = MW_TRY(count_at(*found, "seq"));
  identity.historical = MW_TRY(flag_at(*found, "historical"));
  return identity;
}

Status check_top_sensors(const json& object) {
  const auto found = object.find("top_sensors");
  if (found == object.end() || !found->is_array() || found->size() > kTopCount) {
    return fail(ErrorCode::kInvalidInput, "'top_sensors' must be a list of at most {}", size_t{kTopCount});
  }
  for (const json& item : *found) {
    MW_CHECK_OK(require_exactly(item, {"feature", "share"}));
    (void)MW_TRY(text_at(item, "feature"));
    (void)MW_TRY(number_or_null_at(item, "share"));
  }
  return {};
}

Result<StrokeMessage> stroke_from(const json& object) {
  StrokeMessage message;
  message.identity = MW_TRY(identity_at(object));
  message.timestamp = MW_TRY(timestamp_at(object));
  message.factory_id = MW_TRY(id_at(object, "factory_id"));
  message.line_id = MW_TRY(id_at(object, "line_id"));
  message.asset_id = MW_TRY(id_at(object, "asset_id"));
  message.device_id = MW_TRY(id_at(object, "device_id"));
  if (const auto score = MW_TRY(number_or_null_at(object, "anomaly_score")); score) {
    MW_CHECK_OK(check_range("anomaly_score", *score, 0.0, 1.0));
  }
  (void)MW_TRY(flag_at(object, "is_alert"));
  MW_CHECK_OK(check_top_sensors(object));
  message.record = MW_TRY(record_from_json(object));
  return message;
}

void append_figure(std::string& out, std::string_view key, std::optional<double> value) {
  if (value && std::isfinite(*value)) {
    fmt::format_to(std::back_inserter(out), R"(,"{}":{:.1f})", key, *value);
  } else {
    fmt::format_to(std::back_inserter(out), R"(,"{}":null)", key);
  }
}

bool is_figure_name(std::string_view key) {
  return !key.empty() && key.size() <= kMaxIdBytes && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<HealthMessage> health_from(const json& object) {
  HealthMessage health;
  health.identity = MW_TRY(identity_at(object));
  health.timestamp = MW_TRY(timestamp_at(object));
  health.device_id = MW_TRY(id_at(object, "device_id"));
  health.cpu_pct = MW_TRY(number_at(object, "cpu_pct"));
  health.gpu_pct = MW_TRY(number_or_null_at(object, "gpu_pct"));
  health.temp_c = MW_TRY(number_or_null_at(object, "temp_c"));
  MW_CHECK_OK(check_range("cpu_pct", health.cpu_pct, 0.0, 100.0));
  MW_CHECK_OK(check_range("gpu_pct", health.gpu_pct.value_or(0.0), 0.0, 100.0));
  MW_CHECK_OK(check_range("temp_c", health.temp_c.value_or(0.0), -273.0, 1000.0));
  for (const auto& [key, value] : object.items()) {
    if (key == "cpu_pct" || key == "gpu_pct" || key == "temp_c" || !value.is_number()) continue;
    const double number = value.get<double>();
    if (!is_figure_name(key) || !std::isfinite(number)) return fail(ErrorCode::kInvalidInput, "a figure is not one");
    if (health.figures.size() == kMaxHealthFigures) {
      return fail(ErrorCode::kTooLarge, "more than {} figures", kMaxHealthFigures);
    }
    health.figures.emplace_back(key, number);
  }
  return health;
}

constexpr std::string_view name_of(CommandKind kind) {
  return kind == CommandKind::kAcknowledge ? "acknowledge" : "shelve";
}

Result<CommandMessage> command_from(const json& object) {
  MW_CHECK_OK(require_exactly(object, {"device_id", "command_id", "command", "asset_id", "user", "minutes"}));
  CommandMessage command;
  command.device_id = MW_TRY(id_at(object, "device_id"));
  command.command_id = MW_TRY(id_at(object, "command_id"));
  command.asset_id = MW_TRY(id_at(object, "asset_id"));
  command.user = MW_TRY(id_at(object, "user"));
  const std::string kind = MW_TRY(text_at(object, "command"));
  const uint64_t minutes = MW_TRY(count_at(object, "minutes"));
  if (kind == name_of(CommandKind::kShelve)) {
    command.kind = CommandKind::kShelve;
  } else if (kind != name_of(CommandKind::kAcknowledge)) {
    return fail(ErrorCode::kInvalidInput, "'command' must be acknowledge or shelve");
  }
  if (minutes > (command.kind == CommandKind::kShelve ? kMaxShelveMinutes : 0)) {
    return fail(ErrorCode::kInvalidInput, "'minutes' must be 0 to {}, and 0 to acknowledge", kMaxShelveMinutes);
  }
  command.minutes = static_cast<uint32_t>(minutes);
  return command;
}

Result<AckMessage> ack_from(const json& object) {
  MW_CHECK_OK(require_exactly(object, {"device_id", "boot_id", "seqs"}));
  AckMessage ack;
  ack.device_id = MW_TRY(id_at(object, "device_id"));
  ack.boot_id = MW_TRY(id_at(object, "boot_id"));
  const json& seqs = object["seqs"];
  if (!seqs.is_array() || seqs.empty() || seqs.size() > kMaxAckSeqs) {
    return fail(ErrorCode::kInvalidInput, "'seqs' must be a list of 1 to {}", kMaxAckSeqs);
  }
  for (const json& seq : seqs) {
    if (!seq.is_number_unsigned()) return fail(ErrorCode::kInvalidInput, "'seqs' must hold whole numbers, 0 or more");
    ack.seqs.push_back(seq.get<uint64_t>());
  }
  return ack;
}

Result<StatusMessage> status_from(const json& object) {
  StatusMessage status;
  status.device_id = MW_TRY(id_at(object, "device_id"));
  status.timestamp = MW_TRY(timestamp_at(object));
  const std::string word = MW_TRY(text_at(object, "status"));
  if (word != "online" && word != "offline")
    return fail(ErrorCode::kInvalidInput, "'status' must be online or offline");
  status.online = word == "online";
  return status;
}

std::string numbers_json(const std::vector<double>& values) {
  std::string out = "[";
  for (const double value : values) {
    if (out.size() > 1) out += ',';
    out += std::isfinite(value) ? fmt::format("{:.6g}", value) : "null";
  }
  return out + "]";
}

Result<std::vector<double>> numbers_at(const json& object, std::string_view key, size_t count) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() != count) {
    return fail(ErrorCode::kInvalidInput, "'{}' must be a list of {} numbers", key, count);
  }
  std::vector<double> values;
  for (const json& value : *found) {
    if (!value.is_number() && !value.is_null()) {
      return fail(ErrorCode::kInvalidInput, "'{}' must be a list of {} numbers", key, count);
    }
    values.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
  }
  return values;
}

Result<FeaturesMessage> features_from(const json& object) {
  FeaturesMessage features;
  features.identity = MW_TRY(identity_at(object));
  features.timestamp = MW_TRY(timestamp_at(object));
  features.device_id = MW_TRY(id_at(object, "device_id"));
  features.asset_id = MW_TRY(id_at(object, "asset_id"));
  features.model = MW_TRY(text_at(object, "model"));
  features.period_s = MW_TRY(number_at(object, "period_s"));
  features.strokes = MW_TRY(count_at(object, "strokes"));
  features.features = MW_TRY(count_at(object, "features"));
  if (!(features.period_s > 0.0)) return fail(ErrorCode::kInvalidInput, "'period_s' must be above 0");
  const auto names = object.find("names");
  if (names == object.end() || !names->is_array() || names->size() > kMaxSummaryFeatures) {
    return fail(ErrorCode::kInvalidInput, "'names' must be a list of at most {}", size_t{kMaxSummaryFeatures});
  }
  for (const json& name : *names) {
    if (!name.is_string()) return fail(ErrorCode::kInvalidInput, "'names' must be a list of texts");
    features.names.push_back(name.get<std::string>());
  }
  features.mean = MW_TRY(numbers_at(object, "mean", features.names.size()));
  features.sd = MW_TRY(numbers_at(object, "sd", features.names.size()));
  features.min = MW_TRY(numbers_at(object, "min", features.names.size()));
  features.max = MW_TRY(numbers_at(object, "max", features.names.size()));
  return features;
}

}  // namespace

std::string stroke_message(std::string_view record_line, const MessageIdentity& identity) {
  MW_CHECK(record_line.size() > 2 && record_line.back() == '}', "a record's line is a JSON object with members");
  return fmt::format("{},{}}}", record_line.substr(0, record_line.size() - 1), identity_member(identity));
}

Result<StrokeMessage> parse_stroke_message(std::string_view payload) {
  const json object = MW_TRY_IN("stroke message", parse_object(payload));
  return MW_TRY_IN("stroke message", stroke_from(object));
}

std::string health_line(const HealthMessage& health) {
  std::string out =
      fmt::format(R"({{"timestamp":{},"device_id":{})", json_text(health.timestamp), json_text(health.device_id));
  append_figure(out, "cpu_pct", health.cpu_pct);
  append_figure(out, "gpu_pct", health.gpu_pct);
  append_figure(out, "temp_c", health.temp_c);
  for (const auto& [key, value] : health.figures) {
    if (is_figure_name(key) && std::isfinite(value)) fmt::format_to(std::back_inserter(out), R"(,"{}":{})", key, value);
  }
  return out + "}";
}

std::string health_message(const HealthMessage& health) { return stroke_message(health_line(health), health.identity); }

Result<HealthMessage> parse_health_message(std::string_view payload) {
  const json object = MW_TRY_IN("health message", parse_object(payload));
  return MW_TRY_IN("health message", health_from(object));
}

std::string features_line(const FeaturesMessage& features) {
  return fmt::format(
      R"({{"timestamp":{},"device_id":{},"asset_id":{},"model":{},"period_s":{:.3f},"strokes":{},"features":{},)"
      R"("names":{},"mean":{},"sd":{},"min":{},"max":{}}})",
      json_text(features.timestamp), json_text(features.device_id), json_text(features.asset_id),
      json_text(features.model), features.period_s, features.strokes, features.features,
      json_line(json(features.names)), numbers_json(features.mean), numbers_json(features.sd),
      numbers_json(features.min), numbers_json(features.max));
}

Result<FeaturesMessage> parse_features_message(std::string_view payload) {
  const json object = MW_TRY_IN("features message", parse_object(payload));
  return MW_TRY_IN("features message", features_from(object));
}

std::string status_message(const StatusMessage& status) {
  return fmt::format(R"({{"device_id":{},"status":"{}","timestamp":{}}})", json_text(status.device_id),
                     status.online ? "online" : "offline", json_text(status.timestamp));
}

Result<StatusMessage> parse_status_message(std::string_view payload) {
  const json object = MW_TRY_IN("status message", parse_object(payload));
  return MW_TRY_IN("status message", status_from(object));
}

std::string ack_message(const AckMessage& ack) {
  return fmt::format(R"({{"device_id":{},"boot_id":{},"seqs":[{}]}})", json_text(ack.device_id), json_text(ack.boot_id),
                     fmt::join(ack.seqs, ","));
}

Result<AckMessage> parse_ack_message(std::string_view payload) {
  const json object = MW_TRY_IN("ack message", parse_object(payload));
  return MW_TRY_IN("ack message", ack_from(object));
}

std::string command_message(const CommandMessage& command) {
  return fmt::format(R"({{"device_id":{},"command_id":{},"command":"{}","asset_id":{},"user":{},"minutes":{}}})",
                     json_text(command.device_id), json_text(command.command_id), name_of(command.kind),
                     json_text(command.asset_id), json_text(command.user), command.minutes);
}

Result<CommandMessage> parse_command_message(std::string_view payload) {
  const json object = MW_TRY_IN("command message", parse_object(payload));
  return MW_TRY_IN("command message", command_from(object));
}

}  // namespace millwright::model
