// SPDX-License-Identifier: Apache-2.0
#include "inference/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
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

// A computation needs none of these: other processes, the network, changes to files, new kernel interfaces.
constexpr std::array kForbidden = {
    SYS_socket,
    SYS_socketpair,
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_pidfd_open,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_truncate,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_mknodat,
    SYS_openat2,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_mount,
    SYS_bpf,
    SYS_io_uring_register,
    SYS_setns,
    SYS_unshare,
    SYS_perf_event_open,
#if defined(__x86_64__)
    SYS_unlink,
    SYS_mkdir,
    SYS_rename,
    SYS_renameat,
    SYS_open,
    SYS_creat,
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_link,
    SYS_symlink,
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

constexpr uint32_t kDeny = SECCOMP_RET_ERRNO | EACCES;
constexpr uint32_t kAbsent = SECCOMP_RET_ERRNO | ENOSYS;

// Whether a comparison of an argument's low half forbids a call.
struct ArgumentRule {
  uint16_t comparison;
  uint32_t value;
  bool forbids_if_true;
};

// `answer` for the call where the rule forbids its argument; leaves the call's number loaded.
void append_rule(std::vector<sock_filter>& program, long call, size_t argument, const ArgumentRule& rule,
                 uint32_t answer) {
  const auto offset = static_cast<uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(uint64_t));
  const auto comparison = static_cast<uint16_t>(BPF_JMP | rule.comparison | BPF_K);
  const uint8_t if_true = rule.forbids_if_true ? 0 : 1;
  const uint8_t if_false = rule.forbids_if_true ? 1 : 0;
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 4));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
  program.push_back(BPF_JUMP(comparison, rule.value, if_true, if_false));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

Status filter_system_calls() {
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
  append_rule(program, SYS_openat, 2, {BPF_JSET, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, true}, kDeny);
  // clone: threads only. clone3 keeps its flags in memory, where no filter sees them: libraries fall back to clone.
  append_rule(program, SYS_clone, 0, {BPF_JSET, CLONE_THREAD, false}, kDeny);
  append_rule(program, SYS_clone3, 0, {BPF_JSET, 0, false}, kAbsent);
  // tgkill: only itself, as abort() does.
  append_rule(program, SYS_tgkill, 0, {BPF_JEQ, static_cast<uint32_t>(::getpid()), false}, kDeny);
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
