// SPDX-License-Identifier: Apache-2.0
#include "campaign/virtual_machine.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <utility>

#include "base/check.h"
#include "base/child_process.h"

namespace millwright::campaign {
namespace {

constexpr const char* kKernel = "/usr/bin/linux.uml";
constexpr const char* kMakeFileSystem = "/sbin/mkfs.ext4";

[[noreturn]] void become(const std::vector<std::string>& arguments, int console) {
  // A group of its own, which is killed as one; and no machine outlives who watches it.
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  ::dup2(console, STDOUT_FILENO);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Result<VirtualMachine> VirtualMachine::boot(const MachinePlan& plan) {
  if (::access(kKernel, X_OK) != 0) {
    return fail(ErrorCode::kUnavailable, "{}: no user-mode Linux kernel; run tools/setup.sh --campaign", kKernel);
  }
  std::vector<std::string> arguments = {kKernel,
                                        "mem=192M",
                                        "ubd0=" + plan.disk.string(),
                                        "root=/dev/root",
                                        "rootfstype=hostfs",
                                        "rootflags=/",
                                        "ro",
                                        "quiet",
                                        "con=null",
                                        "con0=null,fd:1",
                                        "uml_dir=" + plan.folder.string() + "/",
                                        "init=" + plan.init.string()};
  arguments.insert(arguments.end(), plan.environment.begin(), plan.environment.end());
  std::array<int, 2> ends{};
  MW_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe is always to be had");
  Descriptor in(ends[0]);
  const Descriptor out(ends[1]);
  const pid_t pid = ::fork();
  MW_CHECK(pid >= 0, "a campaign needs processes");
  if (pid == 0) become(arguments, out.get());
  return VirtualMachine(pid, std::move(in));
}

VirtualMachine::VirtualMachine(VirtualMachine&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      console_(std::move(other.console_)),
      text_(std::move(other.text_)),
      ended_(other.ended_) {}

VirtualMachine::~VirtualMachine() {
  if (pid_ < 0) return;
  cut();
  (void)wait_was_killed();
}

std::optional<std::string> VirtualMachine::line(Clock::time_point until) {
  while (true) {
    if (const size_t end = text_.find('\n'); end != std::string::npos) {
      std::string found = text_.substr(0, end);
      text_.erase(0, end + 1);
      return found;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd wait{.fd = console_.get(), .events = POLLIN, .revents = 0};
    if (ended_ || left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    std::array<char, 65'536> bytes{};
    const ssize_t n = ::read(console_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ended_ = true;
    if (n > 0) text_.append(bytes.data(), static_cast<size_t>(n));
  }
}

void VirtualMachine::cut() { ::kill(-pid_, SIGKILL); }

bool VirtualMachine::wait_was_killed() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

Status make_disk(const std::filesystem::path& image, uint64_t bytes) {
  std::ofstream(image, std::ios::trunc).close();
  std::error_code error;
  std::filesystem::resize_file(image, bytes, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot make a disk: {}", image.string(), error.message());
  auto made = MW_TRY(ChildProcess::start({.argv = {kMakeFileSystem, "-q", "-F", image.string()}, .out_file = {}}));
  if (made.wait() != 0) return fail(ErrorCode::kUnavailable, "{} fails for {}", kMakeFileSystem, image.string());
  return {};
}

}  // namespace millwright::campaign
