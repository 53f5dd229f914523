// SPDX-License-Identifier: Apache-2.0
#include "inference/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <thread>

namespace millwright::inference {
namespace {

// Runs `attempt` in a confined child; true where it said that it was let.
bool let(const std::function<bool()>& attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine({.memory_bytes = 256U << 20, .cpu_seconds = 5})) ::_exit(2);
    ::_exit(attempt() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_NE(WEXITSTATUS(status), 2) << "could not be confined";
  return WEXITSTATUS(status) == 1;
}

TEST(Confinement, LetsAComputationReadFilesAndStartThreads) {
  EXPECT_TRUE(let([] { return ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC) >= 0; }));
#ifndef MILLWRIGHT_SANITIZED  // a sanitizer's thread start asks for more
  EXPECT_TRUE(let([] {
    bool ran = false;
    std::thread([&ran] { ran = true; }).join();
    return ran;
  }));
#endif
}

TEST(Confinement, RefusesFilesForWritingByAnyCall) {
  EXPECT_FALSE(let([] { return ::open("/tmp/millwright-confined", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0; }));
  EXPECT_FALSE(let([] {
    open_how how{.flags = O_CREAT | O_WRONLY, .mode = 0600, .resolve = 0};
    return ::syscall(SYS_openat2, AT_FDCWD, "/tmp/millwright-confined", &how, sizeof how) >= 0;
  }));
  EXPECT_FALSE(let([] {
    std::array<char, 512> parameters{};
    return ::syscall(SYS_io_uring_setup, 8, parameters.data()) >= 0;
  }));
}

TEST(Confinement, RefusesTheNetworkAndOtherProcesses) {
  EXPECT_FALSE(let([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0; }));
  EXPECT_FALSE(let([] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr) >= 0; }));
  EXPECT_FALSE(let([] { return ::kill(::getppid(), 0) == 0; }));
  EXPECT_FALSE(let([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) == 0; }));
  EXPECT_FALSE(let([] { return ::syscall(SYS_pidfd_open, ::getppid(), 0) >= 0; }));
  EXPECT_TRUE(let([] { return ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), 0) == 0; }));
}

}  // namespace
}  // namespace millwright::inference
