// SPDX-License-Identifier: Apache-2.0
#include "inference/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <vector>

namespace millwright::inference {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "no system call filter for this architecture"
#endif

// A computation needs none of these.
constexpr std::array kForbidden = {
    SYS_socket, SYS_socketpair, SYS_execve,   SYS_execveat,        SYS_ptrace, SYS_process_vm_writev,
    SYS_kill,   SYS_unlinkat,   SYS_mkdirat,  SYS_renameat2,       SYS_mount,  SYS_bpf,
    SYS_linkat, SYS_symlinkat,  SYS_truncate, SYS_perf_event_open, SYS_setns,  SYS_unshare,
#if defined(__x86_64__)
    SYS_unlink, SYS_mkdir,      SYS_rename,   SYS_renameat,        SYS_open,   SYS_creat,
    SYS_fork,   SYS_vfork,
#endif
};

Status system_error(const char* what) {
  return fail(ErrorCode::kUnavailable, "trial: cannot {}: {}", what, std::strerror(errno));
}

// Pages of address space now (/proc/self/statm, first number), in bytes.
uint64_t address_space() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Status limit(int resource, uint64_t value, const char* what) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0) return system_error(what);
  return {};
}

Status filter_system_calls() {
  constexpr uint32_t kDeny = SECCOMP_RET_ERRNO | EACCES;
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const auto number : kForbidden) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, kDeny));
  }
  // openat: reading only. The flags are its third argument.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + 2 * sizeof(uint64_t)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, kDeny));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return system_error("filter system calls");
  return {};
}

}  // namespace

Status confine(const Confinement& limits) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return system_error("tie the child to its parent");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("give up new privileges");
  MW_CHECK_OK(limit(RLIMIT_CORE, 0, "forbid core dumps"));
  MW_CHECK_OK(limit(RLIMIT_CPU, limits.cpu_seconds, "limit processor time"));
#ifndef MILLWRIGHT_SANITIZED  // sanitizers reserve terabytes of address space
  MW_CHECK_OK(limit(RLIMIT_AS, address_space() + limits.memory_bytes, "limit memory"));
#else
  static_cast<void>(address_space);
#endif
  return filter_system_calls();
}

}  // namespace millwright::inference
