// SPDX-License-Identifier: Apache-2.0
#include "edge/config_mqtt.h"

#include <array>

#include "edge/mqtt/sample_inbox.h"
#include "model/topics.h"

namespace millwright::edge {
namespace {

constexpr int64_t kLastPort = 65'535;

void read_broker(Section& section, BrokerConfig& broker, const std::filesystem::path& folder) {
  section.text("host", broker.host, true);
  section.boolean("tls", broker.tls);
  if (!broker.tls) broker.port = 1883;
  section.integer("port", broker.port, {1, kLastPort});
  section.text("client_id", broker.client_id);
  section.integer("keepalive_s", broker.keepalive_s, {5, 3600});
  section.number("longest_wait_s", broker.longest_wait_s, {1.0, 3600.0});
  section.boolean("allow_tls12", broker.allow_tls12);
  section.path("ca_file", broker.ca_file, folder);
  if (broker.tls && broker.ca_file.empty()) {
    section.problem("ca_file", "is required: who may vouch for the broker; tls = false is for a broker without TLS");
  }
  section.path("certificate_file", broker.certificate_file, folder);
  section.path("key_file", broker.key_file, folder, !broker.certificate_file.empty());
  section.path("credentials_file", broker.credentials_file, folder);
}

// A connection of an asset's own. The broker is that of [mqtt] unless the section names one.
void read_own_broker(Section& section, BrokerConfig& broker, const Config& config, const std::string& suffix,
                     const std::filesystem::path& folder) {
  if (section.has("host") || !config.mqtt) {
    read_broker(section, broker, folder);
    if (broker.client_id.empty()) broker.client_id = config.device_id + suffix;
    return;
  }
  broker = *config.mqtt;
  broker.client_id += suffix;
}

void read_topic(Section& section, std::string_view key, std::string& topic) {
  section.text(key, topic, true);
  const bool plain = topic.find_first_of(std::string_view("+#\0", 3)) == std::string::npos;
  if (!plain || !model::is_utf8(topic) || topic.size() > UINT16_MAX || topic.starts_with('$')) {
    section.problem(key, "must be the name of one topic, without wildcards");
  }
}

}  // namespace

void read_mqtt(Section section, MqttConfig& mqtt, const std::string& device_id, const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 2> kLeaveOn = {"hub", "puback"};
  read_broker(section, mqtt, folder);
  if (mqtt.client_id.empty()) mqtt.client_id = device_id;
  section.text("prefix", mqtt.prefix);
  mqtt.alerts_leave_on = static_cast<AlertsLeaveOn>(section.choice("alerts_leave_on", kLeaveOn, 0));
  section.number("replay_per_s", mqtt.replay_per_s, {1.0, 100'000.0});
  section.finish();
}

void read_mqtt_source(Section& section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder) {
  constexpr std::array<std::string_view, 3> kPayloads = {"packet", "float32", "int16"};
  constexpr std::array<std::string_view, 2> kLayouts = {"planar", "interleaved"};
  auto& source = asset.source.emplace<MqttSourceConfig>();
  read_own_broker(section, source.broker, config, fmt::format("-{}-samples", asset.id), folder);
  read_topic(section, "topic", source.topic);
  source.payload = static_cast<PayloadKind>(section.choice("payload", kPayloads, 0, true));
  const WindowConfig& window = asset.window;
  if (source.payload == PayloadKind::kPacket) {
    if (window.rate_hz <= 0.0) section.problem("payload", "a stream of packets needs window.rate_hz above 0");
    return;
  }
  source.interleaved = section.choice("layout", kLayouts, 0) == 1;
  if (source.payload == PayloadKind::kInt16) section.number("scale", source.scale, {-1e12, 1e12});
  // One message, one window, one stroke.
  const auto* external = std::get_if<signal::ExternalTrigger>(&asset.trigger);
  const auto* fixed = std::get_if<signal::FixedTrigger>(&asset.trigger);
  const bool suits =
      (external != nullptr && external->pre_samples == 0) || (fixed != nullptr && fixed->hop == window.length);
  if (!suits) {
    section.problem("payload",
                    "messages that are windows need trigger.kind = \"external\" without pre_samples, or \"fixed\" with "
                    "hop = length; a stream with a level trigger needs payload = \"packet\"");
  }
  const WindowPayload whole{.kind = source.payload, .channels = window.channels, .length = window.length};
  if (whole.bytes() > kMaxMessageBytes) {
    section.problem("payload", fmt::format("a window has {} bytes; at most {} fit into one message; use \"packet\"",
                                           whole.bytes(), kMaxMessageBytes));
  }
}

void read_mqtt_output(Section& section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder) {
  read_own_broker(section, asset.output.broker, config, fmt::format("-{}-verdicts", asset.id), folder);
  read_topic(section, "topic", asset.output.topic);
  section.integer("qos", asset.output.qos, {0, 1});
}

}  // namespace millwright::edge
