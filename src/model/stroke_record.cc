// SPDX-License-Identifier: Apache-2.0
#include "model/stroke_record.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "model/json_fields.h"

namespace millwright::model {
namespace {

using nlohmann::json;

constexpr double kNanosPerMilli = 1e6;

// Strings from a configuration may hold anything; a JSON line may not.
std::string json_text(std::string_view text) { return json_line(json(text)); }

std::string label_of(const std::vector<std::string>& names, size_t index, std::string_view kind) {
  return index < names.size() ? names[index] : fmt::format("{} {}", kind, index);
}

signal::SensorFault fault_from(std::string_view text) {
  for (uint8_t i = 0; i <= static_cast<uint8_t>(signal::SensorFault::kLoose); ++i) {
    const auto fault = static_cast<signal::SensorFault>(i);
    if (signal::name(fault) == text) return fault;
  }
  return signal::SensorFault::kNone;
}

template <typename Out>
void append_number(Out out, double value, int decimals) {
  if (std::isfinite(value)) {
    fmt::format_to(out, "{:.{}f}", value, decimals);
  } else {
    fmt::format_to(out, "null");
  }
}

template <typename Out>
void append_shortest(Out out, double value) {
  if (std::isfinite(value)) {
    fmt::format_to(out, "{}", value);
  } else {
    fmt::format_to(out, "null");
  }
}

template <typename Out>
void append_identity(Out out, const StrokeRecord& record, const RecordContext& context) {
  fmt::format_to(out, R"({{"timestamp":"{}","asset_id":{},"stroke_id":{},"plc_cycle":{},"factory_id":{},"line_id":{})",
                 format_utc(record.trigger_wall_ns), json_text(context.asset_id), record.stroke_id, record.plc_cycle,
                 json_text(context.factory_id), json_text(context.line_id));
  fmt::format_to(out, R"(,"device_id":{},"boot_id":{},"trigger_monotonic_ns":{})", json_text(context.device_id),
                 json_text(context.boot_id), record.trigger_monotonic_ns);
}

template <typename Out>
void append_decision(Out out, const StrokeRecord& record) {
  fmt::format_to(out, R"(,"verdict":"{}","reason":"{}","anomaly_score":)", name(record.verdict), name(record.reason));
  append_number(out, record.score, 4);
  fmt::format_to(out, R"(,"raw_score":)");
  append_shortest(out, record.raw_score);
  fmt::format_to(out, R"(,"threshold":)");
  append_shortest(out, record.threshold);
  fmt::format_to(out, R"(,"is_alert":{},"severity":"{}","alarm_active":{},"output_stop":{},"latency_ms":)",
                 record.is_alert, name(record.severity), record.alarm_active, record.output_stop);
  append_number(out, static_cast<double>(record.latency_ns) / kNanosPerMilli, 3);
}

template <typename Out>
void append_causes(Out out, const StrokeRecord& record, const RecordContext& context) {
  fmt::format_to(out, R"(,"top_sensors":[)");
  for (uint8_t i = 0; i < std::min<size_t>(record.top.count, kTopCount); ++i) {
    const TopFeature& top = record.top.items[i];
    fmt::format_to(out, R"({}{{"feature":{},"share":)", i == 0 ? "" : ",",
                   json_text(label_of(context.feature_names, top.feature, "feature")));
    append_number(out, top.share, 3);
    fmt::format_to(out, "}}");
  }
  fmt::format_to(out, "]");
  if (record.sensor_fault != signal::SensorFault::kNone) {
    fmt::format_to(out, R"(,"sensor_fault":"{}","sensor":{},"ne107":"{}")", signal::name(record.sensor_fault),
                   json_text(label_of(context.channel_names, record.sensor_channel, "channel")),
                   signal::name(signal::ne107(record.sensor_fault)));
  }
  if (record.trend.rising) fmt::format_to(out, R"(,"trend":"rising","strokes_left":{})", record.trend.strokes_left);
}

Result<StrokeRecord> from_json(const json& line) {
  StrokeRecord record;
  record.stroke_id = MW_TRY(count_at(line, "stroke_id"));
  record.plc_cycle = MW_TRY(count_at(line, "plc_cycle"));
  const auto verdict = verdict_from(MW_TRY(text_at(line, "verdict")));
  const auto reason = reason_from(MW_TRY(text_at(line, "reason")));
  const auto severity = severity_from(MW_TRY(text_at(line, "severity")));
  if (!verdict || !reason || !severity) return fail(ErrorCode::kInvalidInput, "unknown verdict, reason or severity");
  record.verdict = *verdict;
  record.reason = *reason;
  record.severity = *severity;
  record.is_alert = line.value("is_alert", false);
  record.alarm_active = line.value("alarm_active", false);
  record.output_stop = line.value("output_stop", false);
  record.latency_ns = std::llround(MW_TRY(number_at(line, "latency_ms")) * kNanosPerMilli);
  const auto number_or_nan = [&line](const char* key) {
    const auto it = line.find(key);
    return it != line.end() && it->is_number() ? it->get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  record.score = number_or_nan("anomaly_score");
  record.raw_score = number_or_nan("raw_score");
  record.threshold = number_or_nan("threshold");
  const auto fault = line.find("sensor_fault");
  if (fault != line.end() && fault->is_string()) {
    record.sensor_fault = fault_from(fault->get<std::string>());
  }
  if (line.contains("strokes_left")) {
    record.trend.rising = true;
    record.trend.strokes_left = static_cast<uint32_t>(MW_TRY(count_at(line, "strokes_left")));
  }
  record.model = MW_TRY(Digest::from_hex(MW_TRY(text_at(line, "model"))));
  return record;
}

}  // namespace

std::string to_json_line(const StrokeRecord& record, const RecordContext& context) {
  std::string line;
  line.reserve(768);
  const auto out = std::back_inserter(line);
  append_identity(out, record, context);
  append_decision(out, record);
  append_causes(out, record, context);
  const size_t provider = std::min<size_t>(record.provider, kProviders.size() - 1);
  fmt::format_to(out, R"(,"provider":"{}","model":"{}"}})", kProviders[provider], record.model.hex());
  return line;
}

Result<StrokeRecord> record_from_json(const json& value) {
  if (!value.is_object()) return fail(ErrorCode::kInvalidInput, "stroke record: must be a JSON object");
  for (const char* flag : {"is_alert", "alarm_active", "output_stop"}) {
    if (value.contains(flag) && !value[flag].is_boolean()) {
      return fail(ErrorCode::kInvalidInput, "stroke record: '{}' must be true or false", flag);
    }
  }
  return MW_TRY_IN("stroke record", from_json(value));
}

Result<StrokeRecord> parse_json_line(std::string_view line) {
  return record_from_json(MW_TRY_IN("stroke record", parse_json(line)));
}

}  // namespace millwright::model
