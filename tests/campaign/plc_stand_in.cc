// SPDX-License-Identifier: Apache-2.0
#include "campaign/plc_stand_in.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "edge/plc/result_state.h"

namespace millwright::campaign {
namespace {

using model::Verdict;

constexpr int64_t kBeatNs = 100'000'000;
constexpr int kBeatMs = 100;
constexpr uint64_t kNoVerdictEvery = 200;
constexpr uint64_t kLateEvery = 100;  // verdicts that may come after the inspect window
constexpr auto kJudging = std::chrono::milliseconds(2);
constexpr uint64_t kSalt = 0x9E3779B97F4A7C15ULL;

}  // namespace

edge::OutputState verdict_of(uint64_t cycle, uint64_t seed) {
  Random random(seed ^ (cycle * kSalt));
  edge::OutputState state{.stroke_id = cycle, .plc_cycle = cycle, .stop = false};
  if (random.below(kNoVerdictEvery) == 0) {
    state.reason = model::Reason::kSensorFault;
    state.sensor_fault = signal::SensorFault::kFlatLine;
    return state;
  }
  state.verdict = random.below(2) == 0 ? Verdict::kGo : Verdict::kNoGo;
  state.score = static_cast<double>(random.below(10'001)) / 10'000.0;
  state.severity = static_cast<model::Severity>(random.below(4));
  return state;
}

bool is_of(const edge::plc::Block& block, uint64_t cycle, uint64_t seed) {
  edge::plc::ResultState state;
  state.drive(verdict_of(cycle, seed));
  const edge::plc::Block wanted = edge::plc::block_of(state, {}, edge::FailSafe::kStop);
  return block.stroke == wanted.stroke && block.cycle == wanted.cycle && block.verdict == wanted.verdict &&
         block.score == wanted.score && block.severity == wanted.severity && block.reason == wanted.reason &&
         block.status.pass == (block.status.result_valid && wanted.status.pass);
}

bool is_whole(const edge::plc::Block& block, uint64_t seed) {
  return block.verdict == edge::plc::VerdictCode::kNone || is_of(block, block.stroke, seed);
}

StandIn::StandIn(edge::Output& output, uint64_t seed, bool echoes_newest)
    : output_(output), seed_(seed), echoes_newest_(echoes_newest), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
  thread_ = std::thread([this] { run(); });
}

StandIn::~StandIn() {
  stopped_ = true;
  wake();
  thread_.join();
}

void StandIn::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

void StandIn::trigger(uint64_t cycle) {
  triggered_ = cycle;
  wake();
}

int64_t StandIn::stored_ns(uint64_t cycle) const {
  const Stored& stored = stored_[cycle % kKept];
  return stored.cycle == cycle ? stored.at_ns.load() : 0;
}

void StandIn::run() {
  const SystemClock clock;
  uint64_t done = 0;
  uint64_t beats = 0;
  int64_t next_beat_ns = 0;
  while (!stopped_) {
    if (clock.monotonic_ns() >= next_beat_ns) {
      next_beat_ns = clock.monotonic_ns() + kBeatNs;
      output_.heartbeat(++beats);
    }
    if (done < triggered_) {
      decide(++done);
      continue;
    }
    pollfd event{.fd = event_.get(), .events = POLLIN, .revents = 0};
    ::poll(&event, 1, kBeatMs / 4);
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(event_.get(), &count, sizeof(count));
  }
}

// As the loop does it: what was triggered meanwhile is opened before a verdict goes out, and is judged only after it.
void StandIn::open_triggered() {
  while (opened_ < triggered_) output_.opened(++opened_);
}

void StandIn::decide(uint64_t cycle) {
  open_triggered();
  Random random(seed_ + cycle * kSalt);
  const bool late = random.below(kLateEvery) == 0;
  if (late) std::this_thread::sleep_for(std::chrono::nanoseconds(random.below(2 * kInspectWindowNs)));
  open_triggered();
  edge::OutputState state = verdict_of(cycle, seed_);
  if (echoes_newest_) state.plc_cycle = state.stroke_id = triggered_;
  Stored& stored = stored_[cycle % kKept];
  stored.at_ns = SystemClock().monotonic_ns();
  stored.cycle = cycle;
  output_.drive(state);
  if (late) std::this_thread::sleep_for(kJudging);
}

}  // namespace millwright::campaign
