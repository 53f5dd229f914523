// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/kept_window.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kNames = {"normal", "around", "alert"};

json number(double value) { return std::isfinite(value) ? json(value) : json(); }
double number_of(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

KeptWindow window_of(const json& facts) {
  KeptWindow window;
  window.stroke_id = facts.at("stroke_id").get<uint64_t>();
  window.asset_id = facts.at("asset_id").get<std::string>();
  window.timestamp = facts.at("timestamp").get<std::string>();
  const auto why = std::ranges::find(kNames, facts.at("kept_for").get<std::string>());
  if (why == kNames.end()) throw std::out_of_range("kept_for");
  window.why = static_cast<KeptFor>(why - kNames.begin());
  window.verdict = facts.at("verdict").get<std::string>();
  window.score = number_of(facts.at("score"));
  window.raw_score = number_of(facts.at("raw_score"));
  window.model = facts.at("model").get<std::string>();
  window.channels = facts.at("channels").get<size_t>();
  window.length = facts.at("length").get<size_t>();
  window.rate_hz = facts.at("rate_hz").get<double>();
  if (!facts.at("label").is_null()) window.label = facts.at("label").get<std::string>();
  window.npy_bytes = facts.at("npy_bytes").get<uint64_t>();
  return window;
}

std::filesystem::path file_of(const std::filesystem::path& folder, uint64_t stroke_id, const char* ending) {
  return folder / fmt::format("{:020}{}", stroke_id, ending);
}

}  // namespace

std::string_view name(KeptFor why) { return kNames[static_cast<size_t>(why)]; }

std::string to_json(const KeptWindow& window) {
  const json facts = {{"stroke_id", window.stroke_id},
                      {"asset_id", window.asset_id},
                      {"timestamp", window.timestamp},
                      {"kept_for", name(window.why)},
                      {"verdict", window.verdict},
                      {"score", number(window.score)},
                      {"raw_score", number(window.raw_score)},
                      {"model", window.model},
                      {"channels", window.channels},
                      {"length", window.length},
                      {"rate_hz", window.rate_hz},
                      {"label", window.label.empty() ? json() : json(window.label)},
                      {"npy_bytes", window.npy_bytes}};
  return facts.dump() + "\n";
}

Result<KeptWindow> parse_kept_window(std::string_view text) {
  const json facts = json::parse(text, nullptr, false);
  try {
    if (facts.is_object()) return window_of(facts);
  } catch (const std::exception&) {  // a member that is missing, or of another type
  }
  return fail(ErrorCode::kCorrupt, "not the facts of a kept window");
}

std::filesystem::path samples_file(const std::filesystem::path& folder, uint64_t stroke_id) {
  return file_of(folder, stroke_id, ".npy");
}
std::filesystem::path facts_file(const std::filesystem::path& folder, uint64_t stroke_id) {
  return file_of(folder, stroke_id, ".json");
}

}  // namespace millwright::edge
