// SPDX-License-Identifier: Apache-2.0
// Runs a decoder that we did not write in a child process, so that a file which breaks it breaks the child only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <sys/types.h>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::recording {

// The writing end of the pipe, in the child.
class Reply {
 public:
  explicit Reply(int fd) : fd_(fd) {}
  // Ends the child where the parent has gone.
  void write(std::span<const std::byte> bytes);

 private:
  int fd_;
};

struct IsolationLimits {
  uint64_t memory_bytes = 0;  // on top of what the process holds already; not enforced under sanitizers
  int64_t deadline_ms = 0;    // of the whole life of the child
};

// The reading end, in the parent. What comes through it is as hostile as the file. The child is killed and reaped when
// this goes.
class IsolatedRun {
 public:
  // Forks; the child calls `work`, writes through Reply and ends there. It shares no memory, has default signal
  // handlers, no standard error and no core dump. This guards against crashes, loops and allocation bombs; it is no
  // sandbox against code execution.
  static Result<IsolatedRun> start(const IsolationLimits& limits, const std::function<void(Reply&)>& work);
  ~IsolatedRun();
  IsolatedRun(IsolatedRun&& other) noexcept;
  IsolatedRun& operator=(IsolatedRun&&) = delete;

  // Fills all of `into`; kCorrupt where the child ended before, kTimedOut at its deadline.
  Status read(std::span<std::byte> into);

 private:
  IsolatedRun(pid_t pid, Descriptor pipe, int64_t deadline_ns);
  Status died();

  pid_t pid_;
  Descriptor pipe_;
  int64_t deadline_ns_;
};

}  // namespace millwright::recording
