// SPDX-License-Identifier: Apache-2.0
#include "edge/make_output.h"

#include "edge/console_output.h"
#include "edge/file_output.h"
#include "edge/mqtt/broker_options.h"
#include "edge/plc/plc_output.h"

namespace millwright::edge {

MqttOutputOptions mqtt_output_options(const AssetConfig& asset) {
  return {.broker = broker_options(asset.output.broker),
          .topic = asset.output.topic,
          .asset_id = asset.id,
          .qos = asset.output.qos,
          .on_death = asset.output.policy.on_death};
}

Result<std::unique_ptr<Output>> make_output(const AssetConfig& asset, const Clock& clock) {
  switch (asset.output.kind) {
    case OutputConfig::Kind::kNone: return std::make_unique<NoOutput>();
    case OutputConfig::Kind::kConsole: return std::make_unique<ConsoleOutput>(asset.id);
    case OutputConfig::Kind::kFile: return MW_TRY(FileOutput::create(asset.output.path, asset.output.policy.on_death));
    case OutputConfig::Kind::kModbusServer:
    case OutputConfig::Kind::kModbusClient:
      return MW_TRY(plc::PlcOutput::create(asset.output.plc, asset.output.policy.on_death, clock));
    case OutputConfig::Kind::kMqtt: return MW_TRY(MqttOutput::create(mqtt_output_options(asset)));
  }
  return std::make_unique<NoOutput>();
}

}  // namespace millwright::edge
