// SPDX-License-Identifier: Apache-2.0
// Disks that fail: the calls of one process made to fail by libfiu, and a small file system that really fills up.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::campaign {

// What goes wrong, and the words by which the agent must call it.
struct DiskFault {
  std::string name;
  std::vector<std::string> points;  // of libfiu's POSIX module
  int error = 0;
};
const std::vector<DiskFault>& disk_faults();  // sync fails, disk full, read-only

// In front of a program's arguments, so that calls of it can fail. Empty where libfiu is not installed.
std::vector<std::string> fiu_wrapper(const std::filesystem::path& folder);
Status set_fault(const std::filesystem::path& folder, pid_t process, const DiskFault& fault, bool on);

// An ext4 file system of its own at `folder`, in a mount namespace of this process; gone with it.
class SmallDisk {
 public:
  // kUnavailable where this process may not mount.
  static Status mount(const std::filesystem::path& image, const std::filesystem::path& folder, uint64_t bytes);
  // Takes every byte that is free; gives them back.
  static Status fill(const std::filesystem::path& folder);
  static void free(const std::filesystem::path& folder);
  static void unmount(const std::filesystem::path& folder);
};

}  // namespace millwright::campaign
