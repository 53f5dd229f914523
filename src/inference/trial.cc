// SPDX-License-Identifier: Apache-2.0
// The parent's side of a trial: hands the request over, waits no longer than the deadline, and turns whatever happened
// into a report or an error.
#include "inference/trial.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "inference/provider.h"
#include "inference/trial_wire.h"

extern char** environ;

namespace millwright::inference {
namespace {

constexpr uint64_t kBaseMemory = 512ULL << 20;
constexpr int kEndGraceMs = 2'000;           // from a child's last word to its end
constexpr uint64_t kMemoryPerModelByte = 6;  // the request, our check, ONNX Runtime's parse, its weights, packed, slack

std::unexpected<Error> system_error(const char* what) {
  return fail(ErrorCode::kUnavailable, "trial: cannot {}: {}", what, std::strerror(errno));
}

Status write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_error("hand the model to the child");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

template <typename T>
std::span<const std::byte> bytes_of(const T& values) {
  return std::as_bytes(std::span(values));
}

Result<Descriptor> request_file(const TrialRequest& head, std::initializer_list<std::span<const std::byte>> parts) {
  Descriptor file(::memfd_create("trial", MFD_CLOEXEC));
  if (!file.valid()) return system_error("make a memory file");
  MW_CHECK_OK(write_all(file.get(), std::as_bytes(std::span(&head, 1))));
  for (const auto part : parts) MW_CHECK_OK(write_all(file.get(), part));
  return file;
}

// The child and the reading end of its reply; killed and reaped when this goes.
class Child {
 public:
  static Result<Child> start(const std::filesystem::path& program, const Descriptor& request) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return system_error("make a pipe");
    Descriptor reading(pipe[0]);
    // Numbers that the child's own ends will have must be free for dup2, which keeps them open over exec.
    const Descriptor writing(::fcntl(pipe[1], F_DUPFD_CLOEXEC, kReplyFd + 1));
    ::close(pipe[1]);
    const Descriptor source(::fcntl(request.get(), F_DUPFD_CLOEXEC, kReplyFd + 1));
    if (!writing.valid() || !source.valid()) return system_error("hand descriptors over");

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, source.get(), kRequestFd);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), kReplyFd);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const std::string path = program.empty() ? "/proc/self/exe" : program.string();
    std::string name = "millwright-trial";
    std::string argument(kTrialArgument);
    const std::array<char*, 3> argv = {name.data(), argument.data(), nullptr};
    std::string mark = std::string(kTrialVariable) + "=1";
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(mark.data());
    environment.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      return fail(ErrorCode::kUnavailable, "trial: cannot start {}: {}", path, std::strerror(error));
    }
    return Child(pid, std::move(reading));
  }

  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), reply_(std::move(other.reply_)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    static_cast<void>(reap());
  }

  enum class Waited : uint8_t { kSpoke, kTooLong, kCancelled };
  // Waits for the reply or the end of the child.
  [[nodiscard]] Waited wait(std::chrono::milliseconds deadline, int cancel_fd) const {
    const int64_t end_ns = SystemClock().monotonic_ns() + deadline.count() * 1'000'000;
    while (true) {
      const int64_t left_ms = (end_ns - SystemClock().monotonic_ns() + 999'999) / 1'000'000;
      if (left_ms <= 0) return Waited::kTooLong;
      std::array<pollfd, 2> waiting{{{.fd = reply_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = cancel_fd, .events = POLLIN, .revents = 0}}};  // below 0: passed over
      const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
      if (waiting[0].revents != 0 && ready > 0) return Waited::kSpoke;
      if (waiting[1].revents != 0 && ready > 0) return Waited::kCancelled;
      if (ready < 0 && errno != EINTR) return Waited::kTooLong;
    }
  }

  // The reply, if a whole one came; never blocks longer than the child lives.
  [[nodiscard]] std::optional<TrialReply> reply() const {
    TrialReply reply;
    if (::read(reply_.get(), &reply, sizeof reply) != static_cast<ssize_t>(sizeof reply)) return std::nullopt;
    if (reply.magic != kReplyMagic || reply.code > static_cast<int>(ErrorCode::kCancelled) || reply.code < -1 ||
        reply.message_bytes > reply.message.size()) {
      return std::nullopt;
    }
    return reply;
  }

  struct End {
    int status = 0;
    uint64_t peak_rss_bytes = 0;
  };
  // Waits for the end, but not for a child that closed its pipe and lives on.
  End reap() {
    End end;
    const Descriptor watch(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd waiting{.fd = watch.get(), .events = POLLIN, .revents = 0};
    if (!watch.valid() || ::poll(&waiting, 1, kEndGraceMs) <= 0) kill();
    rusage usage{};
    while (::wait4(pid_, &end.status, 0, &usage) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    end.peak_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
    return end;
  }
  void kill() const { ::kill(pid_, SIGKILL); }

 private:
  Child(pid_t pid, Descriptor reply) : pid_(pid), reply_(std::move(reply)) {}
  pid_t pid_;
  Descriptor reply_;
};

std::unexpected<Error> no_reply(int status) {
  if (WIFSIGNALED(status)) {
    return fail(ErrorCode::kRefused, "model: it crashed its trial ({})", ::strsignal(WTERMSIG(status)));
  }
  return fail(ErrorCode::kUnavailable,
              "trial: the child ended with status {} and no report; does its main call "
              "run_trial_child_if_asked()?",
              WEXITSTATUS(status));
}

Result<TrialReport> outcome(Child& child, const TrialOptions& options) {
  const std::chrono::milliseconds deadline = options.deadline;
  const Child::Waited waited = child.wait(deadline, options.cancel_fd);
  if (waited != Child::Waited::kSpoke) {
    child.kill();
    static_cast<void>(child.reap());
    if (waited == Child::Waited::kCancelled) return fail(ErrorCode::kCancelled, "model: its trial was given up");
    return fail(ErrorCode::kTimedOut, "model: its trial was stopped after {} ms: it loads or runs too long",
                deadline.count());
  }
  const std::optional<TrialReply> reply = child.reply();
  const Child::End end = child.reap();
  if (!reply) return no_reply(end.status);
  if (reply->code >= 0) {
    std::string message(reply->message.data(), reply->message_bytes);
    for (char& c : message) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return fail(static_cast<ErrorCode>(reply->code), "{}", message);
  }
  TrialReport report = reply->report;
  report.peak_rss_bytes = end.peak_rss_bytes;
  return report;
}

TrialRequest request_for(std::span<const std::byte> model, const TrialOptions& options) {
  TrialRequest head;
  head.memory_bytes =
      options.memory_bytes != 0 ? options.memory_bytes : kBaseMemory + kMemoryPerModelByte * model.size();
  head.deadline_ms = options.deadline.count();
  head.latency_budget_ms = options.latency_budget_ms;
  const Rung& rung = options.session.rung;
  head.session = {.threads = options.session.threads,
                  .limits = options.session.limits,
                  .disable_arena = options.session.disable_arena,
                  .provider = rung.provider,
                  .device_id = rung.device_id,
                  .fp16 = rung.fp16,
                  .int8 = rung.int8,
                  .partial = rung.partial,
                  .workspace_bytes = rung.workspace_bytes,
                  .table_bytes = rung.calibration_table.size(),
                  .cache_bytes = rung.cache.size()};
  head.model_bytes = model.size();
  return head;
}

Status may_try() {
  if (std::getenv(kTrialVariable) == nullptr) return {};
  return fail(ErrorCode::kUnavailable, "trial: this process is itself a trial's child");
}

}  // namespace

Result<TrialReport> try_bundle(const model::Bundle& bundle, const TrialOptions& options) {
  MW_CHECK_OK(may_try());
  MW_CHECK_OK(provider_present(options.session.rung.provider));
  TrialRequest head = request_for(bundle.model, options);
  head.kind = bundle.score_kind;
  head.feature_count = bundle.features.feature_count();
  head.normalised = bundle.input_mean.empty() ? 0 : 1;
  head.vectors = bundle.golden.expected.size();
  head.tolerance_relative = bundle.golden.tolerance_relative;
  head.tolerance_absolute = bundle.golden.tolerance_absolute;
  if (head.feature_count == 0 || bundle.golden.features.size() != head.vectors * head.feature_count ||
      bundle.input_mean.size() != bundle.input_scale.size() ||
      bundle.input_mean.size() != head.normalised * head.feature_count) {
    return fail(ErrorCode::kInvalidInput, "bundle: golden vectors or normalisation do not match {} features",
                head.feature_count);
  }
  const Descriptor request = MW_TRY(
      request_file(head, {bytes_of(bundle.input_mean), bytes_of(bundle.input_scale), bytes_of(bundle.golden.features),
                          bytes_of(bundle.golden.expected), bytes_of(options.session.rung.calibration_table),
                          bytes_of(options.session.rung.cache), bundle.model}));
  Child child = MW_TRY(Child::start(options.program, request));
  return outcome(child, options);
}

Result<TrialReport> try_model(std::span<const std::byte> onnx, const TrialOptions& options) {
  MW_CHECK_OK(may_try());
  MW_CHECK_OK(provider_present(options.session.rung.provider));
  const Descriptor request =
      MW_TRY(request_file(request_for(onnx, options), {bytes_of(options.session.rung.calibration_table),
                                                       bytes_of(options.session.rung.cache), onnx}));
  Child child = MW_TRY(Child::start(options.program, request));
  return outcome(child, options);
}

}  // namespace millwright::inference
