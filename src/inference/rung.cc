// SPDX-License-Identifier: Apache-2.0
#include "inference/rung.h"

#include <algorithm>
#include <array>

#include <fmt/ranges.h>

namespace millwright::inference {
namespace {

struct Names {
  Provider provider;
  std::string_view brief;
  std::string_view runtime;
};

constexpr std::array<Names, 4> kNames = {{
    {Provider::kTensorRt, "tensorrt", "TensorrtExecutionProvider"},
    {Provider::kCuda, "cuda", "CUDAExecutionProvider"},
    {Provider::kOpenVino, "openvino", "OpenVINOExecutionProvider"},
    {Provider::kCpu, "cpu", "CPUExecutionProvider"},
}};

const Names& names_of(Provider provider) {
  const auto* const found = std::ranges::find(kNames, provider, &Names::provider);
  return found == kNames.end() ? kNames.back() : *found;
}

Rung plain(Provider provider) { return {.provider = provider}; }

}  // namespace

std::string_view runtime_name(Provider provider) { return names_of(provider).runtime; }
std::string_view short_name(Provider provider) { return names_of(provider).brief; }

Result<Provider> parse_provider(std::string_view name) {
  for (const Names& names : kNames) {
    if (name == names.brief || name == names.runtime) return names.provider;
  }
  return fail(ErrorCode::kInvalidInput, "'{}' is no execution provider; known are tensorrt, cuda, openvino, cpu", name);
}

std::span<const DeviceProfile> device_profiles() {
  static const std::vector<DeviceProfile> profiles = {
      {"jetson-agx-orin-int8",
       {{.provider = Provider::kTensorRt, .fp16 = true, .int8 = true}, plain(Provider::kCuda), plain(Provider::kCpu)}},
      {"intel-nuc-openvino", {plain(Provider::kOpenVino), plain(Provider::kCpu)}},
      {"x86-64-cpu-int8", {plain(Provider::kCpu)}},
      {"rpi-cm4-cpu", {plain(Provider::kCpu)}},
  };
  return profiles;
}

Result<DeviceProfile> find_profile(std::string_view name) {
  const auto profiles = device_profiles();
  const auto found = std::ranges::find(profiles, name, &DeviceProfile::name);
  if (found != profiles.end()) return *found;
  std::vector<std::string_view> known;
  for (const DeviceProfile& profile : profiles) known.push_back(profile.name);
  return fail(ErrorCode::kInvalidInput, "'{}' is no device profile; known are {}", name, fmt::join(known, ", "));
}

std::vector<Rung> default_ladder() {
  return {plain(Provider::kTensorRt), plain(Provider::kCuda), plain(Provider::kOpenVino), plain(Provider::kCpu)};
}

}  // namespace millwright::inference
