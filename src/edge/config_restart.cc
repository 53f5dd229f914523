// SPDX-License-Identifier: Apache-2.0
// What a reload does not take over.
#include <algorithm>
#include <tuple>

#include "edge/config.h"

namespace millwright::edge {

std::vector<std::string> restart_settings(const AssetConfig& running, const AssetConfig& wanted) {
  std::vector<std::string> names;
  const auto note = [&](bool same, const char* name) {
    if (!same) names.emplace_back(name);
  };
  note(running.deadline_ms == wanted.deadline_ms, "deadline_ms");
  note(running.window == wanted.window, "window");
  note(running.trigger == wanted.trigger, "trigger");
  // A simulated press repeats the window in its options; only what the source itself says counts here.
  note(running.source == wanted.source || running.window != wanted.window, "source");
  note(running.output == wanted.output, "output");
  note(running.alarm == wanted.alarm, "alarm");
  note(running.trend == wanted.trend, "trend");
  note(running.collect == wanted.collect, "collect");
  note(running.records == wanted.records, "records");
  note(running.windows == wanted.windows, "windows");
  note(running.features == wanted.features, "features");
  note(running.model == wanted.model, "model");
  note(running.bundle.empty() || !wanted.bundle.empty(), "bundle (removed)");
  return names;
}

std::vector<std::string> restart_settings(const Config& running, const Config& wanted) {
  std::vector<std::string> names;
  if (std::tie(running.device_id, running.factory_id, running.line_id, running.state, running.status) !=
      std::tie(wanted.device_id, wanted.factory_id, wanted.line_id, wanted.state, wanted.status)) {
    names.emplace_back("agent");
  }
  if (running.inference != wanted.inference) names.emplace_back("inference");
  if (running.updates != wanted.updates) names.emplace_back("updates");
  if (running.http != wanted.http) names.emplace_back("http");
  if (running.mqtt != wanted.mqtt) names.emplace_back("mqtt");
  const auto missing = [&](const Config& from, const Config& in, std::string_view what) {
    for (const AssetConfig& asset : from.assets) {
      const bool there =
          std::any_of(in.assets.begin(), in.assets.end(), [&](const auto& a) { return a.id == asset.id; });
      if (!there) names.push_back(fmt::format("asset '{}' ({})", asset.id, what));
    }
  };
  missing(running, wanted, "removed");
  missing(wanted, running, "new");
  return names;
}

}  // namespace millwright::edge
