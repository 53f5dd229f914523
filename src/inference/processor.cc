// SPDX-License-Identifier: Apache-2.0
#include "inference/processor.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/numbers.h"

namespace millwright::inference {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return out;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) out.push_back(cpu);
  }
  return out;
}

std::string cpu_list(std::span<const int> cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    text += text.empty() ? "" : ",";
    text += end - i == 1 ? std::to_string(cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[end - 1]);
    i = end;
  }
  return text;
}

Status pin_to(std::span<const int> cpus) {
  if (cpus.empty()) return {};
  const std::vector<int> allowed = allowed_cpus();
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    if (!std::ranges::binary_search(allowed, cpu)) {
      return fail(ErrorCode::kInvalidInput, "CPU {}: this process may run on {}", cpu, cpu_list(allowed));
    }
    CPU_SET(cpu, &set);
  }
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return fail(ErrorCode::kUnavailable, "CPUs {}: the kernel does not let this process stay on them: {}",
                cpu_list(cpus), std::strerror(errno));
  }
  return {};
}

std::optional<Clocks> clocks(std::span<const int> cpus, const std::filesystem::path& root) {
  constexpr double kMhzPerKhz = 1e-3;
  std::optional<Clocks> out;
  for (const int cpu : cpus) {
    std::ifstream file(root / "sys/devices/system/cpu" / fmt::format("cpu{}", cpu) / "cpufreq/scaling_cur_freq");
    std::string line;
    std::getline(file, line);
    const auto khz = parse_double(trim(line));
    if (!khz || !(*khz > 0.0)) continue;
    const double mhz = *khz * kMhzPerKhz;
    if (!out) out = Clocks{.least_mhz = mhz, .most_mhz = mhz};
    out->least_mhz = std::min(out->least_mhz, mhz);
    out->most_mhz = std::max(out->most_mhz, mhz);
  }
  return out;
}

}  // namespace millwright::inference
