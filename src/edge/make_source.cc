// SPDX-License-Identifier: Apache-2.0
#include "edge/make_source.h"

#include "edge/mqtt/broker_options.h"
#include "edge/recorded_source.h"
#include "edge/simulated_press.h"
#include "edge/udp_source.h"

namespace millwright::edge {
namespace {

template <typename... Lambdas>
struct Overloaded : Lambdas... {
  using Lambdas::operator()...;
};
template <typename... Lambdas>
Overloaded(Lambdas...) -> Overloaded<Lambdas...>;

}  // namespace

Result<std::unique_ptr<SampleSource>> make_source(const AssetConfig& asset, bool fast, const Clock& clock) {
  const WindowConfig& window = asset.window;
  return std::visit(
      Overloaded{[&](const PressSourceConfig& from) -> Result<std::unique_ptr<SampleSource>> {
                   return MW_TRY(SimulatedPress::create({.press = from.press,
                                                         .strokes_per_minute = from.strokes_per_minute,
                                                         .fast_strokes_per_minute = from.fast_strokes_per_minute,
                                                         .first_stroke = from.first_stroke,
                                                         .strokes = from.strokes,
                                                         .fast = fast},
                                                        clock));
                 },
                 [&](const RecordingSourceConfig& from) -> Result<std::unique_ptr<SampleSource>> {
                   RecordedOptions options;
                   options.paths = from.paths;
                   options.read.scale = from.scale;
                   options.read.variable = from.variable;
                   options.read.columns = from.columns;
                   options.channels = window.channels;
                   options.rate_hz = window.rate_hz;
                   options.length = window.length;
                   options.strokes_per_minute = from.strokes_per_minute;
                   options.fast = fast;
                   return MW_TRY(RecordedSource::create(options, clock));
                 },
                 [&](const UdpSourceConfig& from) -> Result<std::unique_ptr<SampleSource>> {
                   return MW_TRY(UdpSource::create({.address = from.address,
                                                    .port = from.port,
                                                    .from = from.from,
                                                    .channels = window.channels,
                                                    .rate_hz = window.rate_hz},
                                                   clock));
                 },
                 [&](const MqttSourceConfig& from) -> Result<std::unique_ptr<SampleSource>> {
                   return MW_TRY(MqttSource::create(mqtt_source_options(asset, from), clock));
                 }},
      asset.source);
}

MqttSourceOptions mqtt_source_options(const AssetConfig& asset, const MqttSourceConfig& from) {
  MqttSourceOptions options;
  options.broker = broker_options(from.broker);
  options.topic = from.topic;
  options.inbox.payload = {.kind = from.payload,
                           .interleaved = from.interleaved,
                           .scale = static_cast<float>(from.scale),
                           .channels = asset.window.channels,
                           .length = asset.window.length};
  options.inbox.rate_hz = asset.window.rate_hz;
  return options;
}

Status check_trigger(const AssetConfig& asset, const SampleSource& source) {
  const bool external = std::holds_alternative<signal::ExternalTrigger>(asset.trigger);
  const auto* recorded = dynamic_cast<const RecordedSource*>(&source);
  if (recorded == nullptr) return {};
  if (external && !recorded->has_triggers()) {
    return fail(ErrorCode::kInvalidInput,
                "one long recording has no external trigger; use kind = \"level\" or \"fixed\"");
  }
  if (!external && recorded->has_triggers()) {
    return fail(ErrorCode::kInvalidInput, "a recording of windows is one trigger per window; use kind = \"external\"");
  }
  return {};
}

}  // namespace millwright::edge
