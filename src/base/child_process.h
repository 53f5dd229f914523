// SPDX-License-Identifier: Apache-2.0
// A child process that cannot be forgotten: it is killed and reaped when its owner goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace millwright {

struct ChildOptions {
  std::vector<std::string> argv;   // argv[0] is the program's path
  std::filesystem::path out_file;  // standard output and error go here, appended; empty: inherited
};

class ChildProcess {
 public:
  // kUnavailable where the program cannot be started; the message names it.
  static Result<ChildProcess> start(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}
  ChildProcess& operator=(ChildProcess&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // The exit status once it has ended (128 + n for signal n); nullopt while it runs.
  std::optional<int> poll();
  // Waits for the end.
  int wait();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  std::optional<int> reap(int options);

  pid_t pid_ = -1;
  std::optional<int> status_;
};

// The folder of the running program's own file.
std::filesystem::path program_folder();

}  // namespace millwright
