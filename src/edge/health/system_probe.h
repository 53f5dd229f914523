// SPDX-License-Identifier: Apache-2.0
// How the box itself is: processor, memory, temperature, throttling, from what the kernel shows in /proc and /sys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace millwright::edge {

// Empty where this machine does not show it.
struct SystemFigures {
  std::optional<double> cpu_percent;     // of all cores, since the read before
  std::optional<double> memory_percent;  // not available for new work; of the control group's limit where that is less
  std::optional<double> gpu_percent;     // Jetson's load file
  std::optional<double> temperature_celsius;       // the hottest thermal zone or hwmon sensor
  std::optional<uint64_t> thermal_throttles;       // events since boot, all cores
  std::optional<double> cgroup_throttled_seconds;  // the control group's processor quota, since its start
  uint64_t process_resident_bytes = 0;
  uint64_t process_descriptors = 0;
  uint64_t process_threads = 0;
};

class SystemProbe {
 public:
  // `root` stands for "/": a test has its own tree.
  explicit SystemProbe(std::filesystem::path root = "/");
  // Reads some twenty small files, about a millisecond; a file that is missing or nonsense leaves its figure empty.
  SystemFigures read();

 private:
  std::optional<double> cpu_percent();
  [[nodiscard]] std::optional<double> memory_percent() const;
  [[nodiscard]] std::optional<double> gpu_percent() const;
  [[nodiscard]] std::optional<double> temperature() const;
  [[nodiscard]] std::optional<uint64_t> thermal_throttles() const;
  [[nodiscard]] std::optional<double> cgroup_throttled() const;
  void read_process(SystemFigures& figures) const;
  [[nodiscard]] std::filesystem::path cgroup() const;

  std::filesystem::path root_;
  uint64_t busy_ = 0;  // processor ticks at the read before
  uint64_t all_ = 0;
};

}  // namespace millwright::edge
