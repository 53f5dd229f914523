// SPDX-License-Identifier: Apache-2.0
// The parts of the configuration that name a broker.
#pragma once

#include <filesystem>
#include <string>

#include "edge/config.h"
#include "edge/config_section.h"

namespace millwright::edge {

void read_mqtt(Section section, MqttConfig& mqtt, const std::string& device_id, const std::filesystem::path& folder);
// After window and trigger of the asset, and after [mqtt], whose broker it may share. The caller finishes the section.
void read_mqtt_source(Section& section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder);

// The same for verdicts that go out by MQTT.
void read_mqtt_output(Section& section, AssetConfig& asset, const Config& config, const std::filesystem::path& folder);

}  // namespace millwright::edge
