// SPDX-License-Identifier: Apache-2.0
#include "lab/calibration_record.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <nlohmann/json.hpp>

namespace millwright::lab {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr float kSymmetricSteps = 127.0F;

}  // namespace

std::vector<std::string> differences(const CalibrationKey& a, const CalibrationKey& b) {
  std::vector<std::string> out;
  if (a.model_digest != b.model_digest) out.emplace_back("model");
  if (a.data_digest != b.data_digest) out.emplace_back("samples or their preprocessing");
  if (a.method != b.method) out.emplace_back("method");
  if (a.percentile != b.percentile) out.emplace_back("percentile");
  if (a.bins != b.bins) out.emplace_back("bins");
  if (a.tool_version != b.tool_version) out.emplace_back("tool version");
  if (a.is_equalized != b.is_equalized) out.emplace_back("--equalize");
  return out;
}

std::string to_json(const CalibrationRecord& record) {
  json ranges = json::object();
  for (const auto& [name, range] : record.ranges) ranges[name] = {range.low, range.high};
  const json out = {{"format", kFormat},
                    {"model", record.key.model_digest},
                    {"data", record.key.data_digest},
                    {"method", record.key.method},
                    {"percentile", record.key.percentile},
                    {"bins", record.key.bins},
                    {"tool", record.key.tool_version},
                    {"equalized", record.key.is_equalized},
                    {"ranges", ranges}};
  return out.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<CalibrationRecord> read_calibration_record(std::string_view text) {
  const json in = json::parse(text, nullptr, false);
  const auto broken = [](std::string_view why) {
    return fail(ErrorCode::kCorrupt, "calibration record: {}; remove it to calibrate anew", why);
  };
  if (!in.is_object() || !in.contains("format") || in["format"] != kFormat) return broken("it is none that is known");
  try {
    CalibrationRecord out;
    out.key = {.model_digest = in.at("model").get<std::string>(),
               .data_digest = in.at("data").get<std::string>(),
               .method = in.at("method").get<std::string>(),
               .percentile = in.at("percentile").get<double>(),
               .bins = in.at("bins").get<uint64_t>(),
               .tool_version = in.at("tool").get<std::string>(),
               .is_equalized = in.at("equalized").get<bool>()};
    if (!in.at("ranges").is_object()) return broken("its ranges are no object");
    for (const auto& [name, ends] : in.at("ranges").items()) {
      const Range range{.low = ends.at(0).get<float>(), .high = ends.at(1).get<float>()};
      if (!std::isfinite(range.low) || !std::isfinite(range.high)) return broken("a range without an end");
      if (!(range.low <= 0.0F) || !(range.high >= 0.0F)) return broken("a range without 0");
      out.ranges.emplace(name, range);
    }
    return out;
  } catch (const json::exception&) {
    return broken("a member is missing or of the wrong type");
  }
}

std::string tensorrt_cache(const CalibrationRecord& record) {
  const std::string_view algorithm = record.key.method == "entropy" ? "EntropyCalibration2" : "MinMaxCalibration";
  std::string out = fmt::format("TRT-8600-{}\n", algorithm);
  for (const auto& [name, range] : record.ranges) {
    const float largest = std::max(std::abs(range.low), std::abs(range.high));
    out += fmt::format("{}: {:08x}\n", name, std::bit_cast<uint32_t>(largest / kSymmetricSteps));
  }
  return out;
}

}  // namespace millwright::lab
