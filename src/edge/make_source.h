// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "edge/config.h"
#include "edge/mqtt/mqtt_source.h"
#include "edge/source.h"

namespace millwright::edge {

// How the samples of an asset come by MQTT.
MqttSourceOptions mqtt_source_options(const AssetConfig& asset, const MqttSourceConfig& from);

// Makes the source that the configuration names.
Result<std::unique_ptr<SampleSource>> make_source(const AssetConfig& asset, bool fast, const Clock& clock);
// Source and trigger must suit one another (an external trigger needs a source that has one).
Status check_trigger(const AssetConfig& asset, const SampleSource& source);

}  // namespace millwright::edge
