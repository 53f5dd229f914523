// SPDX-License-Identifier: Apache-2.0
// What a process holds on to, over time: memory, descriptors, threads; and whether any of it grows.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace millwright::campaign {

struct Footprint {
  double seconds = 0.0;  // since the watching began
  double resident_bytes = 0.0;
  uint64_t descriptors = 0;
  uint64_t threads = 0;
};

// kUnavailable where there is no such process.
Result<Footprint> footprint_of(pid_t process, double seconds);

struct Growth {
  double bytes_per_hour = 0.0;  // of resident memory, by least squares after the warm-up
  // The least that was held at a time, in the first and in the last third after the warm-up: visitors come and go, what
  // is left behind stays.
  uint64_t first_descriptors = 0, last_descriptors = 0;
  uint64_t first_threads = 0, last_threads = 0;
  double first_bytes = 0.0, last_bytes = 0.0, most_bytes = 0.0;

  [[nodiscard]] bool memory_leaks() const;
  [[nodiscard]] bool descriptors_leak() const { return last_descriptors > first_descriptors; }
  [[nodiscard]] bool threads_leak() const { return last_threads > first_threads; }
  [[nodiscard]] nlohmann::ordered_json json() const;
};

inline constexpr double kMostBytesPerHour = 1e6;

Growth growth_of(const std::vector<Footprint>& samples, double warm_up_s);

// A process that leaks on purpose: 3 MB an hour, and a descriptor and a thread every `every_s`. Killed with its owner.
class LeakingProcess {
 public:
  explicit LeakingProcess(double every_s);
  ~LeakingProcess();
  LeakingProcess(const LeakingProcess&) = delete;
  LeakingProcess& operator=(const LeakingProcess&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace millwright::campaign
