// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/broker_options.h"
#include "edge/uplink/uplink.h"
#include "net/mqtt/tls_context.h"

namespace millwright::edge {

std::optional<std::string> foreign_certificate(const Config& config) {
  if (!config.mqtt || !config.mqtt->tls || config.mqtt->certificate_file.empty()) return std::nullopt;
  const auto name = net::mqtt::certificate_common_name(config.mqtt->certificate_file);
  if (!name || *name == config.device_id) return std::nullopt;
  return fmt::format(
      "certificate {} is for '{}', and device_id is '{}': a broker that goes by certificates (deploy/mosquitto) lets "
      "this box neither say its status nor hear the hub, so that alerts never leave; take the one for '{}', or change "
      "device_id",
      config.mqtt->certificate_file.string(), *name, config.device_id, config.device_id);
}

std::vector<UplinkCheck> check_uplink(const Config& config, bool agent_runs) {
  constexpr int64_t kProbeMs = 5'000;
  if (!config.mqtt) return {{true, "none: records stay on this box"}};
  const net::mqtt::ClientOptions options = broker_options(*config.mqtt);
  std::vector<UplinkCheck> lines;
  if (const Status fits = net::mqtt::check(options); !fits) return {{false, fits.error().message}};
  if (auto foreign = foreign_certificate(config)) lines.push_back({false, std::move(*foreign)});
  if (agent_runs) {
    lines.push_back(
        {true, fmt::format("{} port {} is not tried: an agent runs with this state folder, and the broker may take "
                           "the look for it; its status file says whether it is connected",
                           options.host, options.port)});
  } else {
    const Status reached = net::mqtt::probe(options, kProbeMs);
    lines.push_back({reached.has_value(),
                     reached ? fmt::format("{} port {} lets this box in; its topics are not tried: what the broker's "
                                           "list refuses is logged as publish_refused",
                                           options.host, options.port)
                             : reached.error().message});
  }
  if (config.mqtt->alerts_leave_on == AlertsLeaveOn::kPuback) {
    lines.push_back({true,
                     "alerts leave on the broker's acknowledgement: a broker that crashes may forget some; with a hub, "
                     "use alerts_leave_on = \"hub\""});
  }
  return lines;
}

}  // namespace millwright::edge
