// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace millwright {

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  std::vector<char*> argv;
  argv.reserve(options.argv.size() + 1);
  for (const std::string& argument : options.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!options.out_file.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options.out_file.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  }
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(ErrorCode::kUnavailable, "cannot start {}: {}", options.argv[0], std::strerror(error));
  return ChildProcess(pid);
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  reap(0);
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::poll() { return status_ ? status_ : reap(WNOHANG); }

int ChildProcess::wait() { return status_ ? *status_ : reap(0).value_or(-1); }

std::optional<int> ChildProcess::reap(int options) {
  int raw = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(pid_, &raw, options);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return std::nullopt;
  status_ = got < 0 ? -1 : WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  return status_;
}

std::filesystem::path program_folder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path(".") : self.parent_path();
}

}  // namespace millwright
