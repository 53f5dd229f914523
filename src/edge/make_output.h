// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "edge/config.h"
#include "edge/mqtt/mqtt_output.h"
#include "edge/output.h"

namespace millwright::edge {

// Makes the output that the configuration names.
MqttOutputOptions mqtt_output_options(const AssetConfig& asset);
Result<std::unique_ptr<Output>> make_output(const AssetConfig& asset, const Clock& clock);

}  // namespace millwright::edge
