// SPDX-License-Identifier: Apache-2.0
#include "edge/config_inference.h"

#include <algorithm>

namespace millwright::edge {
namespace {

constexpr int64_t kMaxDevice = 63;
constexpr int64_t kMaxWorkspaceMib = 64 << 10;
constexpr int64_t kMaxBuildS = 86'400;

std::vector<inference::Rung> read_profile(Section& section, InferenceConfig& inference) {
  section.text("profile", inference.profile);
  if (inference.profile.empty()) return inference::default_ladder();
  const auto profile = inference::find_profile(inference.profile);
  if (profile) return profile->rungs;
  section.problem("profile", profile.error().message);
  return inference::default_ladder();
}

// Those that are named, from the top, as the profile has them where it does.
std::vector<inference::Rung> read_providers(Section& section, const std::vector<inference::Rung>& preset) {
  std::vector<std::string> names;
  section.texts("providers", names);
  if (!section.has("providers")) return preset;
  if (names.empty()) section.problem("providers", "must name at least one of tensorrt, cuda, openvino, cpu");
  std::vector<inference::Rung> rungs;
  for (const std::string& name : names) {
    const auto provider = inference::parse_provider(name);
    if (!provider) {
      section.problem("providers", provider.error().message);
      continue;
    }
    const auto same = [&](const inference::Rung& rung) { return rung.provider == *provider; };
    if (std::ranges::any_of(rungs, same)) section.problem("providers", fmt::format("names '{}' twice", name));
    const auto known = std::ranges::find_if(preset, same);
    rungs.push_back(known != preset.end() ? *known : inference::Rung{.provider = *provider});
  }
  return rungs;
}

}  // namespace

void read_inference(Section section, InferenceConfig& inference, const std::filesystem::path& folder) {
  const std::vector<inference::Rung> preset = read_profile(section, inference);
  inference.ladder = read_providers(section, preset);
  uint64_t workspace_mib = 0;
  std::filesystem::path table;
  inference::Rung all;
  section.integer("device", all.device_id, {0, kMaxDevice});
  section.boolean("fp16", all.fp16);
  section.boolean("int8", all.int8);
  section.boolean("partial", all.partial);
  section.integer("workspace_mib", workspace_mib, {0, kMaxWorkspaceMib});
  section.path("calibration_table", table, folder);
  section.path("cache", inference.cache, folder);
  section.integer("build_deadline_s", inference.build_deadline_s, {1, kMaxBuildS});
  for (inference::Rung& rung : inference.ladder) {
    if (rung.provider == inference::Provider::kCpu) continue;
    rung.device_id = all.device_id;
    if (section.has("fp16")) rung.fp16 = all.fp16;
    if (section.has("int8")) rung.int8 = all.int8;
    rung.partial = all.partial;
    rung.workspace_bytes = workspace_mib << 20;
    rung.calibration_table = table.string();
  }
  section.finish();
}

}  // namespace millwright::edge
