// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/install_state.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "model/json_fields.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr uint64_t kVersion = 1;
constexpr uint64_t kMostBytes = 64 << 10;
constexpr size_t kMostTargetBytes = 1024;
constexpr std::array<const char*, 2> kFiles = {"update.0.json", "update.1.json"};

json as_json(const InstalledModel& model) {
  return {{"digest", model.digest.hex()},
          {"target", model.target},
          {"bytes", model.bytes},
          {"order", model.order},
          {"since_ns", model.since_ns}};
}

json as_json(const std::optional<InstalledModel>& model) { return model ? as_json(*model) : json(nullptr); }

json as_json(const StrokeCounts& counts) {
  return {{"verdicts", counts.verdicts}, {"alerts", counts.alerts}, {"failures", counts.failures}};
}

Result<int64_t> time_at(const json& object, std::string_view key) {
  const uint64_t value = MW_TRY(model::count_at(object, key));
  return static_cast<int64_t>(value);
}

Result<InstalledModel> model_from(const json& object) {
  MW_CHECK_OK(model::require_exactly(object, {"digest", "target", "bytes", "order", "since_ns"}));
  InstalledModel out{.digest = MW_TRY(Digest::from_hex(MW_TRY(model::text_at(object, "digest")))),
                     .target = MW_TRY(model::text_at(object, "target")),
                     .bytes = MW_TRY(model::count_at(object, "bytes")),
                     .order = MW_TRY(model::count_at(object, "order")),
                     .since_ns = MW_TRY(time_at(object, "since_ns"))};
  if (out.target.size() > kMostTargetBytes) return fail(ErrorCode::kCorrupt, "target: too long");
  return out;
}

Result<std::optional<InstalledModel>> model_at(const json& object, std::string_view key) {
  const json& value = object.at(std::string(key));
  if (value.is_null()) return std::nullopt;
  return std::optional(MW_TRY_IN(key, model_from(value)));
}

Result<StrokeCounts> counts_at(const json& object, std::string_view key) {
  const json& value = object.at(std::string(key));
  MW_CHECK_OK(model::require_exactly(value, {"verdicts", "alerts", "failures"}));
  return StrokeCounts{.verdicts = MW_TRY(model::count_at(value, "verdicts")),
                      .alerts = MW_TRY(model::count_at(value, "alerts")),
                      .failures = MW_TRY(model::count_at(value, "failures"))};
}

Result<std::vector<Refusal>> refusals_from(const json& list) {
  std::vector<Refusal> out;
  if (!list.is_array() || list.size() > kRefusalsKept)
    return fail(ErrorCode::kCorrupt, "refused: no list, or too long");
  for (const json& one : list) {
    MW_CHECK_OK(model::require_exactly(one, {"digest", "order", "why", "at_ns"}));
    out.push_back({.digest = MW_TRY(Digest::from_hex(MW_TRY(model::text_at(one, "digest")))),
                   .order = MW_TRY(model::count_at(one, "order")),
                   .why = MW_TRY(model::text_at(one, "why")),
                   .at_ns = MW_TRY(time_at(one, "at_ns"))});
  }
  return out;
}

Result<InstallState> state_from(const json& body) {
  MW_CHECK_OK(model::require_exactly(body, {"version", "sequence", "phase", "active", "previous", "candidate", "starts",
                                            "served_ns", "probation", "before", "refused"}));
  if (const uint64_t version = MW_TRY(model::count_at(body, "version")); version != kVersion) {
    return fail(ErrorCode::kUnsupported, "version {}; this agent reads {}", version, kVersion);
  }
  const auto phase = update_phase_from(MW_TRY(model::text_at(body, "phase")));
  if (!phase) return fail(ErrorCode::kCorrupt, "phase: not one of this agent's");
  InstallState state{.sequence = MW_TRY(model::count_at(body, "sequence")),
                     .phase = *phase,
                     .active = MW_TRY(model_at(body, "active")),
                     .previous = MW_TRY(model_at(body, "previous")),
                     .candidate = MW_TRY(model_at(body, "candidate")),
                     .starts = static_cast<uint32_t>(MW_TRY(model::count_at(body, "starts"))),
                     .served_ns = MW_TRY(time_at(body, "served_ns")),
                     .probation = MW_TRY_IN("probation", counts_at(body, "probation")),
                     .before = MW_TRY_IN("before", counts_at(body, "before")),
                     .refused = MW_TRY(refusals_from(body.at("refused")))};
  if (state.candidate.has_value() == (state.phase == UpdatePhase::kIdle)) {
    return fail(ErrorCode::kCorrupt, "phase {} {} a candidate", name(state.phase),
                state.candidate ? "with" : "without");
  }
  return state;
}

}  // namespace

std::string to_text(const InstallState& state) {
  json refused = json::array();
  for (const Refusal& one : state.refused) {
    refused.push_back({{"digest", one.digest.hex()}, {"order", one.order}, {"why", one.why}, {"at_ns", one.at_ns}});
  }
  const std::string body = model::json_line({{"version", kVersion},
                                             {"sequence", state.sequence},
                                             {"phase", name(state.phase)},
                                             {"active", as_json(state.active)},
                                             {"previous", as_json(state.previous)},
                                             {"candidate", as_json(state.candidate)},
                                             {"starts", state.starts},
                                             {"served_ns", state.served_ns},
                                             {"probation", as_json(state.probation)},
                                             {"before", as_json(state.before)},
                                             {"refused", std::move(refused)}});
  return fmt::format("{}\n{}\n", body, sha256(body).hex());
}

Result<InstallState> parse_install_state(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return fail(ErrorCode::kCorrupt, "ends before its checksum");
  const std::string_view body = text.substr(0, end);
  if (text.substr(end + 1) != sha256(body).hex() + "\n") return fail(ErrorCode::kCorrupt, "checksum does not match");
  return state_from(MW_TRY(model::parse_json(body)));
}

std::filesystem::path InstallStateFile::path(uint64_t sequence) const { return folder_ / kFiles[sequence % 2]; }

Result<InstallStateFile::Found> InstallStateFile::load() const {
  Found found;
  std::vector<InstallState> read;
  for (uint64_t i = 0; i < kFiles.size(); ++i) {
    const auto text = read_text_file(path(i), kMostBytes);
    if (!text && text.error().code == ErrorCode::kNotFound) continue;
    if (!text && text.error().code == ErrorCode::kIo) return std::unexpected(text.error());
    auto state = text ? parse_install_state(*text) : Result<InstallState>(std::unexpected(text.error()));
    if (state) {
      read.push_back(*std::move(state));
    } else {
      found.unreadable.push_back(fmt::format("{}: {}", path(i).string(), state.error().message));
    }
  }
  std::ranges::sort(read, std::ranges::greater(), &InstallState::sequence);
  if (!read.empty()) found.state = std::move(read[0]);
  if (read.size() > 1) found.before = std::move(read[1]);
  return found;
}

Status InstallStateFile::save(InstallState& state) const {
  InstallState next = state;
  ++next.sequence;
  if (next.refused.size() > kRefusalsKept) {
    next.refused.erase(next.refused.begin(), next.refused.end() - static_cast<ptrdiff_t>(kRefusalsKept));
  }
  for (Refusal& one : next.refused) one.why.resize(std::min(one.why.size(), kMostReasonBytes));
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", folder_.string(), error.message());
  const std::string text = to_text(next);
  // What cannot be read again must not be written.
  MW_CHECK_OK(parse_install_state(text));
  MW_CHECK_OK(write_file_atomic(path(next.sequence), text));
  state = std::move(next);
  return {};
}

}  // namespace millwright::edge
