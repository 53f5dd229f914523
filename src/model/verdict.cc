// SPDX-License-Identifier: Apache-2.0
#include "model/verdict.h"

#include <array>

namespace millwright::model {
namespace {

constexpr std::array<std::string_view, 3> kVerdicts = {"GO", "NO_GO", "NO_VERDICT"};
constexpr std::array<std::string_view, 10> kReasons = {"none",         "starting",     "no_model",    "deadline",
                                                       "sensor_fault", "samples_lost", "model_error", "overload",
                                                       "restart",      "missed"};
constexpr std::array<std::string_view, 4> kSeverities = {"LOW", "MEDIUM", "HIGH", "CRITICAL"};

template <typename Enum, size_t N>
std::optional<Enum> find(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Verdict verdict) { return kVerdicts[static_cast<size_t>(verdict)]; }
std::string_view name(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }
std::string_view name(Severity severity) { return kSeverities[static_cast<size_t>(severity)]; }

std::optional<Verdict> verdict_from(std::string_view name) { return find<Verdict>(kVerdicts, name); }
std::optional<Reason> reason_from(std::string_view name) { return find<Reason>(kReasons, name); }
std::optional<Severity> severity_from(std::string_view name) { return find<Severity>(kSeverities, name); }

}  // namespace millwright::model
