// SPDX-License-Identifier: Apache-2.0
// The processors that this process runs on: which it may use, and how fast their clocks go. A figure of latency means
// little without them: a box that throttles is another box.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::inference {

// Numbers of the CPUs that this process may run on, ascending.
std::vector<int> allowed_cpus();
// "0-3,6".
std::string cpu_list(std::span<const int> cpus);

// Keeps this thread, and all that it starts from here on, on these CPUs; none: leaves it as it is. kInvalidInput with
// those that are allowed where one is not.
Status pin_to(std::span<const int> cpus);

struct Clocks {
  double least_mhz = 0.0;
  double most_mhz = 0.0;
};
// Of these CPUs now, as the kernel's frequency driver tells (sysfs, scaling_cur_freq); nullopt where there is none, as
// in most virtual machines. `root` stands for "/": a test has its own tree.
std::optional<Clocks> clocks(std::span<const int> cpus, const std::filesystem::path& root = "/");

}  // namespace millwright::inference
