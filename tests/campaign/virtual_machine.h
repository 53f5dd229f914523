// SPDX-License-Identifier: Apache-2.0
// A user-mode Linux kernel whose root is the host's, read-only, with one disk of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::campaign {

struct MachinePlan {
  std::filesystem::path disk;    // an image with an ext4 file system
  std::filesystem::path folder;  // for the kernel's own files
  std::filesystem::path init;
  std::vector<std::string> environment;  // NAME=value, without spaces
};

class VirtualMachine {
 public:
  using Clock = std::chrono::steady_clock;

  // kUnavailable where no kernel is installed.
  static Result<VirtualMachine> boot(const MachinePlan& plan);
  VirtualMachine(VirtualMachine&& other) noexcept;
  VirtualMachine& operator=(VirtualMachine&&) = delete;
  ~VirtualMachine();

  // The next line of its console. Empty: there is none before `until`, or, where ended(), none will come.
  std::optional<std::string> line(Clock::time_point until);
  [[nodiscard]] bool ended() const { return ended_; }
  // SIGKILL to all of it. What it had said can still be read.
  void cut();
  // After the last line: whether it was killed.
  bool wait_was_killed();

 private:
  VirtualMachine(pid_t pid, Descriptor console) : pid_(pid), console_(std::move(console)) {}
  pid_t pid_ = -1;
  Descriptor console_;
  std::string text_;
  bool ended_ = false;
};

// An empty ext4 file system in a file.
Status make_disk(const std::filesystem::path& image, uint64_t bytes);

}  // namespace millwright::campaign
