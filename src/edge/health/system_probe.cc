// SPDX-License-Identifier: Apache-2.0
#include "edge/health/system_probe.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/numbers.h"

namespace millwright::edge {
namespace {

namespace fs = std::filesystem;

// Files of /proc and /sys are short; a longer one is none that we know.
constexpr size_t kMaxText = 64 << 10;
constexpr double kLeastCelsius = -55.0;  // what a sensor can mean; an unconnected one says -127 or 65,535
constexpr double kMostCelsius = 150.0;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::string text(kMaxText, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::optional<double> number_in(const fs::path& path) { return parse_double(trim(text_of(path))); }

// "key 123" or "Key:  123 kB", one line each.
std::optional<double> value_of(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    std::string number;
    rest >> number;
    return parse_double(number);
  }
  return std::nullopt;
}

// Entries of a folder whose name begins with `prefix`; none where the folder cannot be read.
std::vector<fs::path> entries(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(prefix)) found.push_back(it->path());
  }
  return found;
}

}  // namespace

SystemProbe::SystemProbe(fs::path root) : root_(std::move(root)) { static_cast<void>(cpu_percent()); }

SystemFigures SystemProbe::read() {
  SystemFigures figures{.cpu_percent = cpu_percent(),
                        .memory_percent = memory_percent(),
                        .gpu_percent = gpu_percent(),
                        .temperature_celsius = temperature(),
                        .thermal_throttles = thermal_throttles(),
                        .cgroup_throttled_seconds = cgroup_throttled()};
  read_process(figures);
  return figures;
}

// /proc/stat, first line: ticks as user nice system idle iowait irq softirq steal (proc(5)). Idle and iowait are idle.
std::optional<double> SystemProbe::cpu_percent() {
  std::istringstream line(text_of(root_ / "proc/stat"));
  std::string name;
  line >> name;
  if (name != "cpu") return std::nullopt;
  uint64_t all = 0;
  uint64_t idle = 0;
  uint64_t ticks = 0;
  for (int i = 0; i < 8 && line >> ticks; ++i) {
    all += ticks;
    if (i == 3 || i == 4) idle += ticks;
  }
  const uint64_t busy = all - idle;
  const uint64_t passed = all - all_;
  const uint64_t worked = busy - busy_;
  const bool usable = all > all_ && busy >= busy_;
  all_ = all;
  busy_ = busy;
  if (!usable) return std::nullopt;
  return 100.0 * static_cast<double>(worked) / static_cast<double>(passed);
}

// The control group of this process: "0::/path" in /proc/self/cgroup (cgroups(7), version 2).
fs::path SystemProbe::cgroup() const {
  std::istringstream lines(text_of(root_ / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return root_ / "sys/fs/cgroup" / line.substr(4);
  }
  return root_ / "sys/fs/cgroup";
}

std::optional<double> SystemProbe::memory_percent() const {
  const std::string memory = text_of(root_ / "proc/meminfo");
  const auto total = value_of(memory, "MemTotal:");
  const auto available = value_of(memory, "MemAvailable:");
  if (!total || !available || !(*total > 0.0)) return std::nullopt;
  const double whole = 100.0 * (1.0 - *available / *total);
  const auto limit = number_in(cgroup() / "memory.max");
  const auto used = number_in(cgroup() / "memory.current");
  if (!limit || !used || !(*limit > 0.0)) return whole;
  return std::max(whole, 100.0 * *used / *limit);
}

// Per mille of the GPU's time (NVIDIA Jetson Linux).
std::optional<double> SystemProbe::gpu_percent() const {
  for (const char* file : {"sys/devices/gpu.0/load", "sys/devices/platform/gpu.0/load",
                           "sys/devices/platform/17000000.gpu/load", "sys/devices/platform/17000000.ga10b/load"}) {
    if (const auto load = number_in(root_ / file)) return std::clamp(*load / 10.0, 0.0, 100.0);
  }
  return std::nullopt;
}

std::optional<double> SystemProbe::temperature() const {
  std::optional<double> hottest;
  const auto look = [&](const fs::path& file) {
    const auto millidegrees = number_in(file);
    if (!millidegrees) return;
    const double celsius = *millidegrees / 1'000.0;
    if (celsius < kLeastCelsius || celsius > kMostCelsius) return;
    hottest = std::max(hottest.value_or(celsius), celsius);
  };
  for (const auto& zone : entries(root_ / "sys/class/thermal", "thermal_zone")) look(zone / "temp");
  for (const auto& chip : entries(root_ / "sys/class/hwmon", "hwmon")) {
    for (const auto& file : entries(chip, "temp")) {
      if (file.filename().string().ends_with("_input")) look(file);
    }
  }
  return hottest;
}

std::optional<uint64_t> SystemProbe::thermal_throttles() const {
  std::optional<uint64_t> events;
  for (const auto& cpu : entries(root_ / "sys/devices/system/cpu", "cpu")) {
    const auto count = number_in(cpu / "thermal_throttle/core_throttle_count");
    if (count && *count >= 0.0) events = events.value_or(0) + static_cast<uint64_t>(*count);
  }
  return events;
}

std::optional<double> SystemProbe::cgroup_throttled() const {
  const auto micros = value_of(text_of(cgroup() / "cpu.stat"), "throttled_usec");
  if (!micros) return std::nullopt;
  return *micros * 1e-6;
}

void SystemProbe::read_process(SystemFigures& figures) const {
  const std::string status = text_of(root_ / "proc/self/status");
  figures.process_resident_bytes = static_cast<uint64_t>(value_of(status, "VmRSS:").value_or(0.0)) * 1024;
  figures.process_threads = static_cast<uint64_t>(value_of(status, "Threads:").value_or(0.0));
  figures.process_descriptors = entries(root_ / "proc/self/fd", "").size();
}

}  // namespace millwright::edge
