// SPDX-License-Identifier: Apache-2.0
#include "recording/isolated.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "base/clock.h"

namespace millwright::recording {
namespace {

constexpr int kFailed = 1;

#ifdef MILLWRIGHT_SANITIZED
constexpr bool kLimitAddresses = false;  // sanitizers reserve terabytes of them
#else
constexpr bool kLimitAddresses = true;
#endif

uint64_t virtual_bytes() {
  unsigned long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<uint64_t>(pages) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(__rlimit_resource resource, uint64_t value) {
  rlimit limits{};
  if (::getrlimit(resource, &limits) != 0) return;
  limits.rlim_cur = std::min<rlim_t>(limits.rlim_max, value);
  ::setrlimit(resource, &limits);
}

void confine(const IsolationLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, static_cast<uint64_t>(limits.deadline_ms / 1000 + 1));
  if (kLimitAddresses) limit(RLIMIT_AS, virtual_bytes() + limits.memory_bytes);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGPIPE}) {
    ::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Libraries print what they think of a broken file; our message stands for it.
  const int null = ::open("/dev/null", O_WRONLY);
  if (null >= 0) {
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
  }
}

[[noreturn]] void run_child(int fd, const IsolationLimits& limits, const std::function<void(Reply&)>& work) {
  confine(limits);
  Reply reply(fd);
  try {
    work(reply);
  } catch (const std::exception&) {
    ::_exit(kFailed);
  }
  ::_exit(0);  // no destructors of the parent's objects
}

}  // namespace

void Reply::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) ::_exit(kFailed);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

IsolatedRun::IsolatedRun(pid_t pid, Descriptor pipe, int64_t deadline_ns)
    : pid_(pid), pipe_(std::move(pipe)), deadline_ns_(deadline_ns) {}

IsolatedRun::IsolatedRun(IsolatedRun&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pipe_(std::move(other.pipe_)), deadline_ns_(other.deadline_ns_) {}

IsolatedRun::~IsolatedRun() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<IsolatedRun> IsolatedRun::start(const IsolationLimits& limits, const std::function<void(Reply&)>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kIo, "cannot make a pipe: {}", std::strerror(errno));
  Descriptor in(ends[0]);
  Descriptor out(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorCode::kUnavailable, "cannot fork a child: {}", std::strerror(errno));
  if (pid == 0) run_child(out.get(), limits, work);
  return IsolatedRun(pid, std::move(in), SystemClock().monotonic_ns() + limits.deadline_ms * 1'000'000);
}

// Says how the child ended; called once its end of the pipe is closed.
Status IsolatedRun::died() {
  int status = 0;
  const pid_t done = ::waitpid(pid_, &status, 0);
  pid_ = -1;
  if (done > 0 && WIFSIGNALED(status)) {
    return fail(ErrorCode::kCorrupt, "the reader crashed on it ({}), the file is damaged", strsignal(WTERMSIG(status)));
  }
  return fail(ErrorCode::kCorrupt, "the reader gave up on it, the file is damaged or needs too much memory");
}

Status IsolatedRun::read(std::span<std::byte> into) {
  while (!into.empty()) {
    const int64_t left_ms = (deadline_ns_ - SystemClock().monotonic_ns()) / 1'000'000;
    if (left_ms <= 0)
      return fail(ErrorCode::kTimedOut, "the reader did not end in time; the file is damaged or too large");
    pollfd waiting{pipe_.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t n = ::read(pipe_.get(), into.data(), into.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kIo, "cannot read from a child: {}", std::strerror(errno));
    if (n == 0) return died();
    into = into.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace millwright::recording
