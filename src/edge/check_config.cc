// SPDX-License-Identifier: Apache-2.0
// `millwright-agent --check`: what would happen, without doing it.
#include <sys/statvfs.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "edge/agent.h"
#include "edge/judges/bundle_judge.h"
#include "edge/make_output.h"
#include "edge/plc/plc_output.h"
#include "edge/uplink/uplink.h"
#include "net/http/server.h"
#include "net/tuf/metadata.h"
#include "net/tuf/store.h"

namespace millwright::edge {
namespace {

// Before this instant (2024-01-01) no clock of a box that runs this program can be right.
constexpr int64_t kEarliestWallNs = 1'704'067'200'000'000'000;
constexpr uint64_t kWantedFreeBytes = 256ULL << 20;
constexpr uint64_t kMostRootBytes = 512'000;

// The folder itself, or the nearest one above it that exists: where it would be created.
std::filesystem::path existing_part(std::filesystem::path folder) {
  std::error_code ignored;
  while (!std::filesystem::exists(folder, ignored) && folder.has_parent_path() && folder != folder.parent_path()) {
    folder = folder.parent_path();
  }
  // A name without a folder above it would be created in this one.
  return std::filesystem::exists(folder, ignored) ? folder : ".";
}

CheckLine check_folder(std::string what, const std::filesystem::path& folder) {
  const auto part = existing_part(folder);
  if (::access(part.c_str(), W_OK | X_OK) != 0) {
    return {false, std::move(what), fmt::format("{} cannot be written; give this user the right to it", part.string())};
  }
  struct statvfs disk{};
  ::statvfs(part.c_str(), &disk);
  const uint64_t free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  const bool enough = free_bytes >= kWantedFreeBytes;
  return {enough, std::move(what),
          fmt::format("{} can be written, {}{} MiB free, {} MiB wanted", folder.string(),
                      enough ? "" : "but has too little space: ", free_bytes >> 20, kWantedFreeBytes >> 20)};
}

CheckLine line_of(std::string what, const Status& status, std::string found) {
  return {status.has_value(), std::move(what), status ? std::move(found) : status.error().message};
}

CheckLine check_source_of(const AssetConfig& asset, std::string what) {
  if (const auto* mqtt = std::get_if<MqttSourceConfig>(&asset.source)) {
    return line_of(std::move(what), check_source(mqtt_source_options(asset, *mqtt)),
                   fmt::format("{} port {} lets this box hear {}", mqtt->broker.host, mqtt->broker.port, mqtt->topic));
  }
  const SystemClock clock;
  const auto source = make_source(asset, true, clock);
  const Status sound = source ? check_trigger(asset, **source) : Status(std::unexpected(source.error()));
  return line_of(std::move(what), sound, "opens, and suits window and trigger");
}

// Which rung would serve, and why those above would not.
CheckLine check_ladder(const model::LoadedBundle& loaded, const InferenceConfig& settings, std::string what) {
  const auto try_one = [&](const inference::Rung& rung) -> Result<inference::TrialReport> {
    const auto report = MW_TRY(try_rung(loaded, rung, settings));
    MW_CHECK_OK(within_budget(loaded, report, settings));
    return report;
  };
  const inference::Climb climbed = inference::climb(settings.ladder, try_one);
  std::string found = "none serves";
  if (climbed.index < settings.ladder.size()) {
    const inference::RungFinding& serving = climbed.findings[climbed.index];
    found = fmt::format("{} serves, P95 {:.3f} ms", runtime_name(serving.provider), serving.report.p95_ms);
  }
  for (const inference::RungFinding& finding : climbed.findings) {
    if (!finding.why.empty()) found += fmt::format("; {}: {}", name(finding.state), finding.why);
  }
  return {climbed.index < settings.ladder.size(), std::move(what), std::move(found)};
}

void check_model(const AssetConfig& asset, const InferenceConfig& settings, const std::string& who,
                 std::vector<CheckLine>& lines) {
  const auto prove = [&](const model::LoadedBundle& loaded) -> Status {
    MW_CHECK_OK(try_rung(loaded, {}, settings));
    MW_CHECK_OK(make_judge(loaded, {}, settings));
    return {};
  };
  const auto loaded = bundle_of(asset);
  const Status proven = loaded ? prove(*loaded) : Status(std::unexpected(loaded.error()));
  lines.push_back(line_of(who + "model", proven,
                          loaded ? fmt::format("{} is proven on its golden vectors", loaded->digest.hex()) : ""));
  if (proven) lines.push_back(check_ladder(*loaded, settings, who + "providers"));
}

// A broker may take a look for the agent that runs, and put that out; a port may be the agent's own.
constexpr std::string_view kAgentConnected = "its broker is not tried: an agent runs with this state folder";
constexpr std::string_view kAgentListens = "its port is not tried: an agent runs with this state folder";

void check_asset(const AssetConfig& asset, const InferenceConfig& inference, bool agent_runs,
                 std::vector<CheckLine>& lines) {
  const std::string who = fmt::format("asset '{}': ", asset.id);
  const bool samples_by_broker = std::holds_alternative<MqttSourceConfig>(asset.source);
  lines.push_back(samples_by_broker && agent_runs ? CheckLine{true, who + "source", std::string(kAgentConnected)}
                                                  : check_source_of(asset, who + "source"));
  const auto cutter =
      signal::WindowCutter::create(asset.trigger, asset.window.channels, asset.window.length, asset.window.rate_hz);
  lines.push_back(line_of(who + "trigger", cutter ? Status() : Status(std::unexpected(cutter.error())), "valid"));
  if (asset.bundle.empty()) {
    lines.push_back({true, who + "model",
                     asset.collect ? "none yet: windows are collected, records say NO_VERDICT(no_model)"
                                   : "none: records will say NO_VERDICT(no_model); a section [asset.collect] writes "
                                     "windows to train one from"});
  } else {
    check_model(asset, inference, who, lines);
  }
  if (asset.output.kind == OutputConfig::Kind::kFile) {
    lines.push_back(check_folder(who + "output", asset.output.path.parent_path()));
  }
  if (asset.output.kind == OutputConfig::Kind::kModbusServer ||
      asset.output.kind == OutputConfig::Kind::kModbusClient) {
    const auto look = [&]() -> CheckLine {
      const auto found = plc::check_plc(asset.output.plc);
      return {found.has_value(), who + "output", found ? *found : found.error().message};
    };
    const bool own_port = agent_runs && asset.output.kind == OutputConfig::Kind::kModbusServer;
    lines.push_back(own_port ? CheckLine{true, who + "output", std::string(kAgentListens)} : look());
  }
  if (asset.output.kind == OutputConfig::Kind::kMqtt) {
    const auto look = [&] {
      return line_of(who + "output", check_output(mqtt_output_options(asset)),
                     fmt::format("{} port {} lets this box in; verdicts go to {}", asset.output.broker.host,
                                 asset.output.broker.port, asset.output.topic));
    };
    lines.push_back(agent_runs ? CheckLine{true, who + "output", std::string(kAgentConnected)} : look());
  }
  if (asset.collect) lines.push_back(check_folder(who + "collect", asset.collect->folder));
  lines.push_back({true, who + "fail-safe",
                   fmt::format("no verdict: {}, start: {}, agent's death: {}", name(asset.output.policy.on_no_verdict),
                               name(asset.output.policy.on_start), name(asset.output.policy.on_death))});
}

CheckLine check_http(const HttpConfig& http, bool agent_runs) {
  if (!http.enabled) return {true, "http", "off: no metrics, no operator page"};
  if (agent_runs) return {true, "http", std::string(kAgentListens)};
  const auto server = net::http::Server::start({.address = http.address, .port = http.port}, {});
  return line_of("http", server ? Status() : Status(std::unexpected(server.error())),
                 fmt::format("{} port {} can be listened on", http.address, http.port));
}

CheckLine check_lock(const std::filesystem::path& state) {
  std::error_code ignored;
  if (!std::filesystem::exists(state / "lock", ignored)) return {true, "state is free", "will be created"};
  const auto lock = lock_state(state);
  return line_of("state is free", lock ? Status() : Status(std::unexpected(lock.error())), "no other agent uses it");
}

// That the box has a root to begin with, and that a folder is there; a server is asked by the agent alone, for what it
// says is kept.
CheckLine check_updates(const UpdatesConfig& updates, const std::filesystem::path& state) {
  const auto trusted = net::tuf::FolderStore(state / "updates").read(net::tuf::metadata_file("root"), kMostRootBytes);
  const auto root = trusted ? trusted : read_text_file(updates.root, kMostRootBytes);
  if (!root) return {false, "updates", root.error().message};
  if (const auto parsed = net::tuf::parse<net::tuf::Root>(*root); !parsed) {
    return {false, "updates", fmt::format("{}: {}", updates.root.string(), parsed.error().message)};
  }
  const bool from_server = updates.metadata_url.starts_with("https://");
  std::error_code ignored;
  const bool there = from_server || std::filesystem::is_directory(updates.metadata_url, ignored);
  return {true, "updates",
          fmt::format("{} is {}; models come from {}{}", trusted ? "a root" : updates.root.string(),
                      trusted ? "trusted already" : "a root to begin with", updates.metadata_url,
                      there ? "" : ", which is not there now")};
}

}  // namespace

std::vector<CheckLine> check_config(const std::filesystem::path& file) {
  std::vector<CheckLine> lines;
  const auto config = load_config(file);
  if (!config) return {{false, "configuration", config.error().message}};
  lines.push_back({true, "configuration", fmt::format("{}: {} assets", file.string(), config->assets.size())});
  const SystemClock clock;
  lines.push_back(
      {clock.wall_ns() >= kEarliestWallNs, "clock",
       fmt::format("it is {}; records carry it, decisions do not depend on it", format_utc(clock.wall_ns()))});
  lines.push_back(check_folder("state", config->state));
  lines.push_back(check_lock(config->state));
  const bool agent_runs = !lines.back().good;
  lines.push_back(check_folder("status", config->status.parent_path()));
  lines.push_back(check_http(config->http, agent_runs));
  if (config->updates) lines.push_back(check_updates(*config->updates, config->state));
  for (const UplinkCheck& line : check_uplink(*config, agent_runs)) lines.push_back({line.good, "mqtt", line.found});
  for (const AssetConfig& asset : config->assets) check_asset(asset, config->inference, agent_runs, lines);
  return lines;
}

}  // namespace millwright::edge
