// SPDX-License-Identifier: Apache-2.0
#include "edge/config.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/files.h"
#include "base/numbers.h"
#include "edge/config_inference.h"
#include "edge/config_mqtt.h"
#include "edge/config_section.h"
#include "edge/config_updates.h"
#include "edge/ledger.h"
#include "signal/feature_spec.h"

namespace millwright::edge {
namespace {

constexpr double kMaxRateHz = 10e6;
constexpr int64_t kMaxCount = 1'000'000'000'000;
constexpr int64_t kMaxDeadlineMs = 600'000;
constexpr double kMaxStrokesPerMinute = 100'000.0;

void read_window(Section section, WindowConfig& window) {
  section.integer("channels", window.channels, {1, static_cast<int64_t>(signal::kMaxChannels)});
  section.integer("length", window.length, {8, static_cast<int64_t>(signal::kMaxWindowLength)}, true);
  section.number("rate_hz", window.rate_hz, {0.0, kMaxRateHz}, true);
  section.texts("channel_names", window.channel_names);
  if (!window.channel_names.empty() && window.channel_names.size() != window.channels) {
    section.problem("channel_names",
                    fmt::format("{} names for {} channels", window.channel_names.size(), window.channels));
  }
  section.finish();
}

void read_press(Section& section, PressSourceConfig& source, const WindowConfig& window) {
  source.press.channels = window.channels;
  source.press.length = window.length;
  source.press.rate_hz = window.rate_hz;
  section.number("strokes_per_minute", source.strokes_per_minute, {0.001, kMaxStrokesPerMinute});
  section.number("fast_strokes_per_minute", source.fast_strokes_per_minute, {0.0, 1e9});
  section.integer("first_stroke", source.first_stroke, {1, kMaxCount});
  section.integer("strokes", source.strokes, {0, kMaxCount});
  section.integer("wear_from_stroke", source.press.wear_from_stroke, {0, kMaxCount});
  section.integer("failure_stroke", source.press.failure_stroke, {0, kMaxCount});
  section.integer("loose_from_stroke", source.press.loose_from_stroke, {0, kMaxCount});
  section.integer("loose_channel", source.press.loose_channel, {0, static_cast<int64_t>(window.channels) - 1});
  section.integer("load_every", source.press.load_every, {0, kMaxCount});
  section.number("noise", source.press.noise, {0.0, 1000.0});
  section.integer("seed", source.press.seed, {0, kMaxCount});
  if (source.press.failure_stroke != 0 && source.press.failure_stroke <= source.press.wear_from_stroke) {
    section.problem("failure_stroke", "must come after wear_from_stroke");
  }
  if (window.rate_hz <= 0.0) section.problem("kind", "a simulated press needs window.rate_hz above 0");
}

void read_recording(Section& section, RecordingSourceConfig& source, const std::filesystem::path& folder) {
  std::vector<std::string> paths;
  section.texts("paths", paths);
  if (paths.empty()) section.problem("paths", "must name at least one file or folder");
  for (const auto& path : paths) source.paths.push_back((folder / path).lexically_normal());
  section.number("strokes_per_minute", source.strokes_per_minute, {0.001, kMaxStrokesPerMinute});
  section.number("scale", source.scale, {-1e12, 1e12});
  section.text("variable", source.variable);
  section.texts("columns", source.columns);
}

void read_udp(Section& section, UdpSourceConfig& source, const WindowConfig& window) {
  section.text("address", source.address);
  section.integer("port", source.port, {1, 65535}, true);
  section.text("from", source.from);
  if (window.rate_hz <= 0.0) section.problem("kind", "a stream needs window.rate_hz above 0");
}

void read_source(Section section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 4> kKinds = {"simulated-press", "recording", "udp", "mqtt"};
  switch (section.choice("kind", kKinds, 0, true)) {
    case 0: read_press(section, asset.source.emplace<PressSourceConfig>(), asset.window); break;
    case 1: read_recording(section, asset.source.emplace<RecordingSourceConfig>(), folder); break;
    case 2: read_udp(section, asset.source.emplace<UdpSourceConfig>(), asset.window); break;
    default: read_mqtt_source(section, asset, config, folder); break;
  }
  section.finish();
}

void read_trigger(Section section, AssetConfig& asset) {
  constexpr std::array<std::string_view, 3> kKinds = {"external", "level", "fixed"};
  const auto longest = static_cast<int64_t>(signal::kMaxWindowLength);
  const auto last = std::max<int64_t>(static_cast<int64_t>(asset.window.length) - 1, 0);
  switch (section.choice("kind", kKinds, 0, true)) {
    case 0: {
      auto& trigger = asset.trigger.emplace<signal::ExternalTrigger>();
      section.integer("pre_samples", trigger.pre_samples, {0, last});
      break;
    }
    case 1: {
      auto& trigger = asset.trigger.emplace<signal::LevelTrigger>();
      section.integer("channel", trigger.channel, {0, static_cast<int64_t>(asset.window.channels) - 1});
      section.number("level", trigger.level, {1e-12, 1e12}, true);
      section.integer("energy_samples", trigger.energy_samples, {1, longest});
      section.integer("pre_samples", trigger.pre_samples, {0, last});
      trigger.dead_samples = asset.window.length;
      section.integer("dead_samples", trigger.dead_samples, {0, kMaxCount});
      break;
    }
    default: {
      auto& trigger = asset.trigger.emplace<signal::FixedTrigger>();
      trigger.hop = std::max<size_t>(asset.window.length, 1);
      section.integer("hop", trigger.hop, {1, longest});
      break;
    }
  }
  section.finish();
}

void read_plc(Section& section, plc::PlcOptions& plc) {
  constexpr std::array<std::string_view, 2> kOrders = {"big", "little"};
  constexpr int64_t kRegisters = 65'536;
  const bool server = plc.role == plc::PlcOptions::Role::kServer;
  section.text("address", plc.address, !server);
  section.integer("port", plc.port, {1, 65535});
  section.integer("unit", plc.map.unit, {0, 255});
  section.integer("base", plc.map.base, {0, kRegisters - static_cast<int64_t>(plc::kBlockRegisters)});
  const int64_t last_control = kRegisters - static_cast<int64_t>(plc::kControlRegisters);
  const int64_t behind = plc.map.base + static_cast<int64_t>(plc::kBlockRegisters);
  plc.map.control_base = static_cast<uint16_t>(std::min(behind, last_control));
  section.integer("control_base", plc.map.control_base, {0, last_control});
  if (plc.map.control_base < behind && plc.map.base < plc.map.control_base + plc::kControlRegisters) {
    section.problem("control_base", fmt::format("the 4 registers from {} lie inside of the 16 from base, {}",
                                                plc.map.control_base, plc.map.base));
  }
  plc.map.order = static_cast<plc::WordOrder>(section.choice("word_order", kOrders, 0));
  if (server) section.text("from", plc.from);
  if (!server) section.integer("timeout_ms", plc.timeout_ms, {10, 10'000});
}

void read_output(Section section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder) {
  OutputConfig& output = asset.output;
  using Kind = OutputConfig::Kind;
  constexpr std::array<std::string_view, 6> kKinds = {"none",          "console",       "file",
                                                      "modbus-server", "modbus-client", "mqtt"};
  constexpr std::array<std::string_view, 3> kPolicies = {"hold", "stop", "pass"};
  constexpr std::array<std::string_view, 2> kStops = {"no_go", "alarm"};
  output.kind = static_cast<Kind>(section.choice("kind", kKinds, 0, true));
  section.path("path", output.path, folder, output.kind == Kind::kFile);
  if (output.kind == Kind::kModbusServer || output.kind == Kind::kModbusClient) {
    output.plc.role =
        output.kind == Kind::kModbusServer ? plc::PlcOptions::Role::kServer : plc::PlcOptions::Role::kClient;
    read_plc(section, output.plc);
  }
  if (output.kind == Kind::kMqtt) read_mqtt_output(section, asset, config, folder);
  // Nobody else can say what a missing verdict means on this machine.
  const auto policy = [&](std::string_view key) {
    return static_cast<FailSafe>(section.choice(key, kPolicies, 0, true));
  };
  output.policy.on_no_verdict = policy("on_no_verdict");
  output.policy.on_start = policy("on_start");
  output.policy.on_death = policy("on_death");
  output.policy.stop_on_alarm = section.choice("stop_on", kStops, 1) == 1;
  section.finish();
}

void read_alarm(Section section, AlarmOptions& alarm) {
  section.integer("raise_m", alarm.raise_m, {1, 64});
  alarm.raise_n = std::min(alarm.raise_n, alarm.raise_m);
  section.integer("raise_n", alarm.raise_n, {1, alarm.raise_m});
  section.number("clear_score", alarm.clear_score, {0.0, 0.5});
  section.integer("clear_strokes", alarm.clear_strokes, {1, 10'000});
  section.boolean("latch", alarm.latch);
  section.integer("max_calls_per_hour", alarm.max_calls_per_hour, {1, 3600});
  section.finish();
}

void read_trend(Section section, TrendOptions& trend) {
  section.integer("group", trend.group, {1, Trend::kMaxGroup});
  section.number("significance", trend.significance, {1.0, 20.0});
  section.number("rise", trend.rise, {0.0, 1.0});
  section.integer("confirmations", trend.confirmations, {1, 100});
  section.number("horizon", trend.horizon, {0.1, 1000.0});
  section.finish();
}

void read_collect(Section section, AssetConfig& asset, const std::filesystem::path& folder) {
  CollectConfig collect;
  section.path("folder", collect.folder, folder, true);
  section.integer("windows", collect.windows, {1, 10'000'000}, true);
  if (!asset.bundle.empty())
    section.problem("windows", "an asset collects only while it has no bundle; remove the section");
  section.finish();
  asset.collect = collect;
}

void read_windows(Section section, WindowsConfig& windows) {
  section.integer("max_mib", windows.max_mib, {0, 1 << 20});
  section.integer("around", windows.around, {0, 16});
  section.integer("normal_every", windows.normal_every, {0, kMaxCount});
  section.finish();
}

void read_features(Section section, FeaturesConfig& features) {
  section.integer("every_s", features.every_s, {0, 86'400});
  section.finish();
}

void read_records(Section section, RecordsConfig& records) {
  section.integer("max_file_bytes", records.max_file_bytes, {4096, int64_t{1} << 32});
  section.integer("max_files", records.max_files, {2, 100'000});
  section.integer("ledger_slots", records.ledger_slots,
                  {static_cast<int64_t>(kMinLedgerSlots), static_cast<int64_t>(kMaxLedgerSlots)});
  section.finish();
}

AssetConfig read_asset(Section section, const Config& config, const std::filesystem::path& folder) {
  AssetConfig asset;
  section.identifier("id", asset.id);
  // Folders of assets lie beside these.
  for (const std::string_view taken : {"lock", "windows", "outbox", "engines", "updates"}) {
    if (asset.id == taken)
      section.problem("id", fmt::format("'{}' is what a file or folder of the state is called", taken));
  }
  if (asset.id == config.status.filename()) section.problem("id", "it is what the status file is called");
  section.path("bundle", asset.bundle, folder);
  section.expect("model");
  if (section.has("model")) section.identifier("model", asset.model);
  if (!asset.model.empty() && !config.updates) {
    section.problem("model", "is what updates are asked for; a section [updates] says where");
  }
  section.integer("deadline_ms", asset.deadline_ms, {1, kMaxDeadlineMs}, true);
  if (auto window = section.section("window", true)) read_window(*window, asset.window);
  if (auto trigger = section.section("trigger", true)) read_trigger(*trigger, asset);
  if (auto source = section.section("source", true)) read_source(*source, asset, config, folder);
  if (auto output = section.section("output", true)) read_output(*output, asset, config, folder);
  if (auto alarm = section.section("alarm")) read_alarm(*alarm, asset.alarm);
  if (auto trend = section.section("trend")) read_trend(*trend, asset.trend);
  if (auto collect = section.section("collect")) read_collect(*collect, asset, folder);
  if (auto records = section.section("records")) read_records(*records, asset.records);
  if (auto windows = section.section("windows")) read_windows(*windows, asset.windows);
  if (auto features = section.section("features")) read_features(*features, asset.features);
  // The window itself takes time: a deadline inside it could never be met.
  const double window_ms =
      asset.window.rate_hz > 0.0 ? 1000.0 * static_cast<double>(asset.window.length) / asset.window.rate_hz : 0.0;
  if (asset.deadline_ms > 0 && static_cast<double>(asset.deadline_ms) <= window_ms) {
    section.problem("deadline_ms", fmt::format("counts from the trigger, and the window alone takes {} ms", window_ms));
  }
  section.finish();
  return asset;
}

void read_http(Section section, HttpConfig& http) {
  constexpr int64_t kLastPort = 65'535;
  section.boolean("enabled", http.enabled);
  section.text("address", http.address);
  section.integer("port", http.port, {0, kLastPort});
  section.texts("allowed_hosts", http.allowed_hosts);
  section.finish();
}

void read_assets(const toml::table& root, Config& config, Problems& problems, const std::filesystem::path& folder) {
  const toml::node* node = root.get("asset");
  const toml::array* assets = node == nullptr ? nullptr : node->as_array();
  if (assets == nullptr || assets->empty() || !assets->is_homogeneous<toml::table>()) {
    problems.add(node == nullptr ? root.source() : node->source(), "asset",
                 "at least one [[asset]] section is required");
    return;
  }
  if (assets->size() > kMaxAssets) {
    problems.add(node->source(), "asset", fmt::format("{} assets; at most {}", assets->size(), kMaxAssets));
    return;
  }
  for (const auto& element : *assets) {
    const toml::table& table = *element.as_table();
    const std::string id = table["id"].value_or(std::string("?"));
    config.assets.push_back(read_asset(Section(table, fmt::format("asset '{}'", id), problems), config, folder));
    const auto same = std::count_if(config.assets.begin(), config.assets.end(),
                                    [&](const auto& asset) { return asset.id == config.assets.back().id; });
    if (same > 1) problems.add(table.source(), fmt::format("asset '{}'.id", id), "is used by another asset too");
  }
}

// The page and the PLCs' ends cannot share a port; none of them says who has it.
void check_ports(const Config& config, const toml::table& root, Problems& problems) {
  struct End {
    std::string who, address;
    uint16_t port;
  };
  constexpr std::string_view kEverywhere = "0.0.0.0";
  std::vector<End> ends;
  if (config.http.enabled) ends.push_back({"[http]", config.http.address, config.http.port});
  for (const AssetConfig& asset : config.assets) {
    if (asset.output.kind != OutputConfig::Kind::kModbusServer) continue;
    const End end{fmt::format("asset '{}'.output", asset.id), asset.output.plc.address, asset.output.plc.port};
    for (const End& other : ends) {
      const bool meet = end.address == other.address || end.address == kEverywhere || other.address == kEverywhere;
      if (!meet || end.port != other.port || end.port == 0) continue;
      problems.add(root.source(), end.who + ".port", fmt::format("{} is the port of {} too", end.port, other.who));
    }
    ends.push_back(end);
  }
}

// A hint where a line's value is a bare word: id = press1.
std::string quotes_missing(std::string_view text, size_t line) {
  for (size_t skipped = 1; skipped < line && !text.empty(); ++skipped) {
    text.remove_prefix(
        std::min(text.size(), text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') + 1));
  }
  text = text.substr(0, text.find('\n'));
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {};
  std::string_view value = trim(text.substr(equals + 1));
  value = trim(value.substr(0, value.find('#')));
  const bool word = !value.empty() && std::ranges::all_of(value, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '/';
  });
  if (!word) return {};
  return fmt::format("; text needs quotes: {} = \"{}\"", trim(text.substr(0, equals)), value);
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& name, const std::filesystem::path& folder) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const auto& error = parsed.error();
    return fail(ErrorCode::kInvalidInput, "{}:{}: not valid TOML: {}{}", name, error.source().begin.line,
                error.description(), quotes_missing(text, error.source().begin.line));
  }
  Config config;
  Problems problems(name);
  Section root(parsed.table(), "", problems);
  if (auto agent = root.section("agent", true)) {
    agent->identifier("device_id", config.device_id);
    agent->identifier("factory_id", config.factory_id);
    agent->identifier("line_id", config.line_id);
    agent->path("state", config.state, folder, true);
    config.status = config.state / "status.json";
    agent->path("status", config.status, folder);
    agent->finish();
  }
  config.inference.cache = config.state / "engines";
  if (auto inference = root.section("inference")) read_inference(*inference, config.inference, folder);
  if (auto updates = root.section("updates")) read_updates(*updates, config.updates.emplace(), folder);
  if (auto http = root.section("http")) read_http(*http, config.http);
  if (auto mqtt = root.section("mqtt")) read_mqtt(*mqtt, config.mqtt.emplace(), config.device_id, folder);
  read_assets(parsed.table(), config, problems, folder);
  root.expect("asset");
  check_ports(config, parsed.table(), problems);
  root.finish();
  if (!problems.none()) return fail(ErrorCode::kInvalidInput, "{}", problems.text());
  return config;
}

Result<Config> load_config(const std::filesystem::path& file) {
  const std::string text = MW_TRY(read_text_file(file, kMaxConfigBytes));
  Config config = MW_TRY(parse_config(text, file.string(), file.parent_path()));
  config.file = file;
  return config;
}

}  // namespace millwright::edge
