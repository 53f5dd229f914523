// SPDX-License-Identifier: Apache-2.0
// The child's side of a trial: reads the request, confines itself, opens the model, runs it, reports, exits.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "inference/confinement.h"
#include "inference/feature_scorer.h"
#include "inference/trial_wire.h"

namespace millwright::inference {
namespace {

constexpr size_t kTimedRuns = 200;
constexpr size_t kRandomRuns = 8;
constexpr uint64_t kSeed = 1;
constexpr int kBackground = 19;

double ms_since(int64_t start_ns) { return static_cast<double>(SystemClock().monotonic_ns() - start_ns) * 1e-6; }

struct Request {
  TrialRequest head;
  std::span<const std::byte> model;
  std::span<const float> mean;
  std::span<const float> scale;
  std::span<const float> features;
  std::span<const float> expected;
  SessionOptions session;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

SessionOptions session_of(const TrialSession& plain, std::span<const std::byte> table,
                          std::span<const std::byte> cache) {
  return {.threads = plain.threads,
          .limits = plain.limits,
          .disable_arena = plain.disable_arena,
          .rung = {.provider = plain.provider,
                   .device_id = plain.device_id,
                   .fp16 = plain.fp16,
                   .int8 = plain.int8,
                   .workspace_bytes = plain.workspace_bytes,
                   .calibration_table = text_of(table),
                   .cache = text_of(cache),
                   .partial = plain.partial}};
}

// Maps the memory file that the parent wrote; the mapping stays for the life of the child.
Result<Request> read_request() {
  struct stat info{};
  if (::fstat(kRequestFd, &info) != 0) return fail(ErrorCode::kUnavailable, "trial: no request");
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kRequestFd, 0);
  if (memory == MAP_FAILED || size < sizeof(TrialRequest)) return fail(ErrorCode::kUnavailable, "trial: no request");
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(memory), size);
  Request request;
  std::memcpy(&request.head, bytes.data(), sizeof(TrialRequest));
  const TrialRequest& head = request.head;
  const uint64_t norm = head.normalised != 0 ? head.feature_count : 0;
  const uint64_t floats = 2 * norm + head.vectors * (head.feature_count + 1);
  const uint64_t texts = head.session.table_bytes + head.session.cache_bytes;
  if (head.magic != kRequestMagic || size != sizeof(TrialRequest) + floats * sizeof(float) + texts + head.model_bytes) {
    return fail(ErrorCode::kUnavailable, "trial: parent and child are different programs");
  }
  // Floats first: they are aligned there.
  const auto* at = reinterpret_cast<const float*>(bytes.data() + sizeof(TrialRequest));
  const auto take = [&at](uint64_t count) {
    const std::span<const float> taken(at, count);
    at += count;
    return taken;
  };
  request.mean = take(norm);
  request.scale = take(norm);
  request.features = take(head.vectors * head.feature_count);
  request.expected = take(head.vectors);
  const auto paths = bytes.last(head.model_bytes + texts).first(texts);
  request.session =
      session_of(head.session, paths.first(head.session.table_bytes), paths.last(head.session.cache_bytes));
  request.model = bytes.last(head.model_bytes);
  return request;
}

Status time_runs(Session& session, const TrialRequest& head, TrialReport& report) {
  // A slow model must not eat the deadline: a quarter of it is enough to know.
  const double enough_ms = static_cast<double>(head.deadline_ms) / 4.0;
  std::vector<double> took;
  took.reserve(kTimedRuns);
  const int64_t start = SystemClock().monotonic_ns();
  while (took.size() < kTimedRuns && (took.empty() || ms_since(start) < enough_ms)) {
    const int64_t before = SystemClock().monotonic_ns();
    if (!session.run()) return fail(ErrorCode::kInvalidInput, "model: {}", session.last_error());
    took.push_back(ms_since(before));
  }
  std::ranges::sort(took);
  report.runs = took.size();
  report.p50_ms = took[took.size() / 2];
  report.p95_ms = took[std::min(took.size() - 1, took.size() * 95 / 100)];
  if (head.latency_budget_ms > 0.0 && report.p95_ms > head.latency_budget_ms) {
    return fail(ErrorCode::kTimedOut, "model: too slow on this machine: P95 {:.3f} ms of {} runs, the budget is {} ms",
                report.p95_ms, report.runs, head.latency_budget_ms);
  }
  return {};
}

Result<TrialReport> try_golden(const Request& request) {
  TrialReport report;
  const int64_t start = SystemClock().monotonic_ns();
  const TrialRequest& head = request.head;
  FeatureScorer scorer = MW_TRY(FeatureScorer::create({.model = request.model,
                                                       .kind = head.kind,
                                                       .feature_count = head.feature_count,
                                                       .mean = request.mean,
                                                       .scale = request.scale},
                                                      1, request.session));
  report.load_ms = ms_since(start);
  for (size_t i = 0; i < head.vectors; ++i) {
    double got = 0.0;
    if (!scorer.score_rows(request.features.subspan(i * head.feature_count, head.feature_count), {&got, 1})) {
      return fail(ErrorCode::kInvalidInput, "golden vector {}: {}", i, scorer.last_error());
    }
    const auto expected = static_cast<double>(request.expected[i]);
    const double deviation = std::abs(got - expected);
    if (!std::isfinite(got)) return fail(ErrorCode::kInvalidInput, "golden vector {}: the score is {}", i, got);
    if (!model::golden_agrees(got, expected, head.tolerance_relative, head.tolerance_absolute)) {
      return fail(ErrorCode::kInvalidInput, "golden vector {}: the score is {}, expected is {}", i, got, expected);
    }
    report.worst_deviation = std::max(report.worst_deviation, deviation);
  }
  MW_CHECK_OK(time_runs(scorer.session(), head, report));
  return report;
}

void fill_random(Session& session, Random& random) {
  for (const Session::Tensor& input : session.inputs()) {
    // Whole numbers stay zero: most are indices, for which a random one is no ordinary input.
    if (input.type != onnx::ElementType::kFloat) continue;
    auto* values = reinterpret_cast<float*>(input.data.data());
    for (size_t i = 0; i < input.data.size() / sizeof(float); ++i) values[i] = static_cast<float>(random.normal());
  }
}

Status check_finite(Session& session) {
  for (const Session::Tensor& output : session.outputs()) {
    if (output.type != onnx::ElementType::kFloat) continue;
    const auto* values = reinterpret_cast<const float*>(output.data.data());
    for (size_t i = 0; i < output.data.size() / sizeof(float); ++i) {
      if (std::isfinite(values[i])) continue;
      return fail(ErrorCode::kInvalidInput, "model: element {} of output '{}' is {} for an ordinary input", i,
                  output.name, values[i]);
    }
  }
  return {};
}

Result<TrialReport> try_plain(const Request& request) {
  TrialReport report;
  const int64_t start = SystemClock().monotonic_ns();
  Session session = MW_TRY(Session::create(request.model, 1, request.session));
  report.load_ms = ms_since(start);
  Random random(kSeed);
  for (size_t i = 0; i < kRandomRuns; ++i) {
    if (!session.run()) return fail(ErrorCode::kInvalidInput, "model: {}", session.last_error());
    MW_CHECK_OK(check_finite(session));
    fill_random(session, random);  // the first run was on zeros
  }
  MW_CHECK_OK(time_runs(session, request.head, report));
  return report;
}

Result<TrialReport> perform() {
  const Request request = MW_TRY(read_request());
  // The runtime's own start is no cost of the model.
  static_cast<void>(runtime_version());
  const auto deadline_s = static_cast<uint64_t>(request.head.deadline_ms) / 1'000;
  // A GPU's driver maps more than any limit and talks to devices: such a child is only watched. Its model was proven on
  // the CPU before, confined.
  const bool confined = request.session.rung.provider == Provider::kCpu;
  if (confined) MW_CHECK_OK(confine({.memory_bytes = request.head.memory_bytes, .cpu_seconds = deadline_s + 2}));
  if (!confined) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::nice(kBackground) == -1) errno = 0;  // engines are built beside a line that runs
  }
  try {
    return request.head.feature_count > 0 ? try_golden(request) : try_plain(request);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kTooLarge, "model: out of memory");
  }
}

}  // namespace

void run_trial_child_if_asked(int argc, char** argv) {
  if (argc < 2 || kTrialArgument != argv[1]) return;
  ::close_range(kReplyFd + 1, ~0U, 0);
  const Result<TrialReport> result = perform();
  TrialReply reply;
  if (result) {
    reply.report = *result;
  } else {
    reply.code = static_cast<int32_t>(result.error().code);
    reply.message_bytes = static_cast<uint32_t>(std::min(result.error().message.size(), reply.message.size()));
    std::memcpy(reply.message.data(), result.error().message.data(), reply.message_bytes);
  }
  const ssize_t written = ::write(kReplyFd, &reply, sizeof reply);
  ::_exit(written == static_cast<ssize_t>(sizeof reply) ? 0 : 1);
}

}  // namespace millwright::inference
