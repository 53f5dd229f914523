// SPDX-License-Identifier: Apache-2.0
// The agent's one TOML file. Strict: what is not known, not allowed or missing is refused with file, line, key, what is
// allowed and, for a misspelt key, the nearest known one. docs in deploy/examples/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "edge/alarm.h"
#include "edge/mqtt/sample_payload.h"
#include "edge/output.h"
#include "edge/plc/plc_options.h"
#include "edge/press_signal.h"
#include "edge/trend.h"
#include "edge/updater/day_window.h"
#include "inference/rung.h"
#include "signal/trigger.h"

namespace millwright::edge {

inline constexpr uint64_t kMaxConfigBytes = 1 << 20;
inline constexpr size_t kMaxAssets = 256;

struct WindowConfig {
  size_t channels = 1;
  size_t length = 0;     // samples per channel
  double rate_hz = 0.0;  // 0: a curve
  std::vector<std::string> channel_names;
  bool operator==(const WindowConfig&) const = default;
};

struct PressSourceConfig {
  PressOptions press;  // channels, length and rate are the window's
  double strokes_per_minute = 18.0;
  double fast_strokes_per_minute = 0.0;  // at most, when played fast; 0: as many as there can be
  uint64_t first_stroke = 1;
  uint64_t strokes = 0;
  bool operator==(const PressSourceConfig&) const = default;
};

struct RecordingSourceConfig {
  std::vector<std::filesystem::path> paths;
  double strokes_per_minute = 18.0;
  double scale = 1.0;
  std::string variable;
  std::vector<std::string> columns;
  bool operator==(const RecordingSourceConfig&) const = default;
};

struct UdpSourceConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  std::string from;
  bool operator==(const UdpSourceConfig&) const = default;
};

// How a broker is reached. Secrets are in files, never here.
struct BrokerConfig {
  std::string host;
  uint16_t port = 8883;
  std::string client_id;  // stable for the device
  uint16_t keepalive_s = 30;
  double longest_wait_s = 60.0;  // between attempts to connect
  bool tls = true;
  bool allow_tls12 = false;
  std::filesystem::path ca_file;
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;
  std::filesystem::path credentials_file;  // two lines: user and password
  bool operator==(const BrokerConfig&) const = default;
};

struct MqttSourceConfig {
  BrokerConfig broker;  // that of [mqtt] where the source names none
  std::string topic;
  PayloadKind payload = PayloadKind::kFloat32;
  bool interleaved = false;
  double scale = 1.0;
  bool operator==(const MqttSourceConfig&) const = default;
};

using SourceConfig = std::variant<PressSourceConfig, RecordingSourceConfig, UdpSourceConfig, MqttSourceConfig>;

struct OutputConfig {
  enum class Kind : uint8_t { kNone, kConsole, kFile, kModbusServer, kModbusClient, kMqtt };
  Kind kind = Kind::kNone;
  std::filesystem::path path;  // for kFile
  plc::PlcOptions plc;         // for kModbusServer and kModbusClient
  BrokerConfig broker;         // for kMqtt
  std::string topic;
  int qos = 1;
  OutputPolicy policy;
  bool operator==(const OutputConfig&) const = default;
};

struct CollectConfig {
  std::filesystem::path folder;
  uint64_t windows = 0;
  bool operator==(const CollectConfig&) const = default;
};

// Windows kept for labelling and learning: those around alerts, and a sample of the normal ones.
struct WindowsConfig {
  uint64_t max_mib = 256;         // 0: none are kept
  uint64_t around = 2;            // strokes before and after an alert
  uint64_t normal_every = 1'000;  // one in so many strokes that are no alerts; 0: none
  bool operator==(const WindowsConfig&) const = default;
};

// Summaries of features, for whoever watches for drift.
struct FeaturesConfig {
  int64_t every_s = 300;  // 0: none
  bool operator==(const FeaturesConfig&) const = default;
};

struct RecordsConfig {
  uint64_t max_file_bytes = 16 << 20;
  size_t max_files = 64;
  size_t ledger_slots = 1024;
  bool operator==(const RecordsConfig&) const = default;
};

struct AssetConfig {
  std::string id;
  std::filesystem::path bundle;  // empty: no model
  std::string model;             // whose updates it takes, by its name in the signed metadata; empty: none
  int64_t deadline_ms = 0;
  WindowConfig window;
  signal::TriggerSpec trigger;
  SourceConfig source;
  OutputConfig output;
  AlarmOptions alarm;
  TrendOptions trend;
  std::optional<CollectConfig> collect;
  RecordsConfig records;
  WindowsConfig windows;
  FeaturesConfig features;
};

// Who runs the models, and how long it may take to find out.
struct InferenceConfig {
  std::vector<inference::Rung> ladder = inference::default_ladder();
  std::string profile;               // the device profile whose latency budget in the bundle counts; empty: none
  std::filesystem::path cache;       // folder of engines; default: state/engines
  int64_t build_deadline_s = 1'800;  // for a rung above the CPU to be ready
  bool operator==(const InferenceConfig&) const = default;
};

// Where signed models come from, and when they may serve.
struct UpdatesConfig {
  std::filesystem::path root;  // the root metadata that the box was brought up with
  std::string metadata_url;    // https://, or a folder of this box
  std::string targets_url;
  std::filesystem::path ca_file;  // who may vouch for the server; empty: those of the system
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;
  int64_t poll_s = 3'600;
  DayWindow window;  // when a swap may be
  int64_t probation_s = 600;
  uint64_t probation_verdicts = 200;
  bool operator==(const UpdatesConfig&) const = default;
};

struct HttpConfig {
  bool enabled = true;
  std::string address = "127.0.0.1";
  uint16_t port = 8000;
  std::vector<std::string> allowed_hosts;  // names by which browsers call this box
  bool operator==(const HttpConfig&) const = default;
};

// When an alert may leave the outbox.
enum class AlertsLeaveOn : uint8_t {
  kHub,     // the hub says that it has stored them: no broker's crash can lose one
  kPuback,  // the broker has taken them: one that forgets what it acknowledged loses them
};

struct MqttConfig : BrokerConfig {
  std::string prefix;  // of every topic
  AlertsLeaveOn alerts_leave_on = AlertsLeaveOn::kHub;
  double replay_per_s = 500.0;
  bool operator==(const MqttConfig&) const = default;
};

struct Config {
  std::filesystem::path file;  // where it was read from
  std::string device_id;
  std::string factory_id;
  std::string line_id;
  std::filesystem::path state;   // folder: ledgers, records, lock
  std::filesystem::path status;  // file; default: state/status.json
  InferenceConfig inference;
  std::optional<UpdatesConfig> updates;
  HttpConfig http;
  std::optional<MqttConfig> mqtt;
  std::vector<AssetConfig> assets;
};

// Relative paths count from `folder`; `name` is what messages call the text. Every problem has a line of the message,
// the first ones first, at most kMaxProblems.
inline constexpr size_t kMaxProblems = 20;
Result<Config> parse_config(std::string_view text, const std::string& name, const std::filesystem::path& folder);
Result<Config> load_config(const std::filesystem::path& file);

// The settings that differ, by their names in the file, other than `bundle`: those that only a restart takes over.
std::vector<std::string> restart_settings(const AssetConfig& running, const AssetConfig& wanted);
// The same for what is not an asset's own: `agent` and assets that are gone or new.
std::vector<std::string> restart_settings(const Config& running, const Config& wanted);

}  // namespace millwright::edge
