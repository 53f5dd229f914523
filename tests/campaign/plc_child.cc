// SPDX-License-Identifier: Apache-2.0
#include "campaign/plc_child.h"

#include <csignal>
#include <cstdio>
#include <ctime>

#include <chrono>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "campaign/stroke_script.h"
#include "edge/fake_judge.h"
#include "edge/journal.h"
#include "edge/ledger.h"
#include "edge/record_writer.h"
#include "edge/stroke_loop.h"

namespace millwright::campaign {
namespace {

constexpr double kRateHz = 1e6;  // the whole window comes with its trigger
constexpr size_t kSlots = 512;
constexpr uint64_t kInTwoEvery = 16;  // strokes whose window comes in two pieces, as most do on a real line
constexpr uint64_t kWire = 512;       // strokes that the converter buffers; older ones are lost
constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kTooLongMs = 200;

volatile std::sig_atomic_t asked_to_stop = 0;

// The PLC's time, which can be made to pass, and a wall clock that can be made to jump. The stroke thread's.
class JumpingClock final : public Clock {
 public:
  explicit JumpingClock(Plc& plc) : plc_(plc) {}
  [[nodiscard]] int64_t monotonic_ns() const override { return of_plc(plc_.now_ns()); }
  [[nodiscard]] int64_t wall_ns() const override { return system_.wall_ns() + plc_.passed_ns + wall_; }
  // This clock at an instant of the PLC's.
  [[nodiscard]] int64_t of_plc(int64_t plc_ns) const { return plc_ns - unseen_; }
  void pass_ms(int64_t ms) { plc_.passed_ns += ms * kNanosPerMilli; }
  // It passes for the PLC, and this clock does not see it.
  void pass_unseen_ms(int64_t ms) {
    unseen_ += ms * kNanosPerMilli;
    pass_ms(ms);
  }
  void jump_wall_ms(int64_t ms) { wall_ += ms * kNanosPerMilli; }

 private:
  Plc& plc_;
  SystemClock system_;
  int64_t unseen_ = 0;
  int64_t wall_ = 0;
};

// What the loop tells the press, as the PLC hears it.
class PlcOutput final : public edge::Output {
 public:
  explicit PlcOutput(Plc& plc) : plc_(plc) {}
  void drive(const edge::OutputState& state) noexcept override { plc_.answer(state.plc_cycle, state.verdict); }
  void heartbeat(uint64_t) noexcept override {}

 private:
  Plc& plc_;
};

// One window per stroke of the PLC, faulty where the script says so.
class PlcSource final : public edge::SampleSource {
 public:
  PlcSource(Plc& plc, const ChildPlan& plan, JumpingClock& clock)
      : plc_(plc), seed_(plan.seed), arrives_when_read_(plan.broken == Broken::kArrivalWhenRead), clock_(clock) {}

  [[nodiscard]] edge::SourceShape shape() const override { return {.channels = 1, .rate_hz = kRateHz}; }
  edge::Block next(size_t, int64_t until_ns) override {
    if (rest_ > 0) return rest();
    while (plc_.issued.load(std::memory_order_acquire) == plc_.taken.load(std::memory_order_relaxed)) {
      if (asked_to_stop != 0) return {.kind = edge::Block::Kind::kStopped};
      if (clock_.monotonic_ns() >= until_ns) return {};
      const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
      ::nanosleep(&pause, nullptr);
    }
    if (asked_to_stop != 0) return {.kind = edge::Block::Kind::kStopped};
    const uint64_t issued = plc_.issued.load(std::memory_order_acquire);
    uint64_t cycle = plc_.taken.load(std::memory_order_relaxed) + 1;
    if (issued - cycle >= kWire) cycle = issued - kWire + 1;
    plc_.taken.store(cycle, std::memory_order_release);
    return begin(cycle);
  }
  void stop() noexcept override {}
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const edge::SourceCounters& counters() const override { return counters_; }

 private:
  edge::Block begin(uint64_t cycle) {
    fault_ = fault_of(seed_, cycle);
    window_.fill(0.0F);
    window_[0] = 0.5F;
    window_[edge::kFakeRaw] = fault_ == Fault::kAnomaly ? 5.0F : 0.2F;
    window_[edge::kFakeFails] = fault_ == Fault::kModelFails ? 1.0F : 0.0F;
    window_[edge::kFakeNan] = fault_ == Fault::kModelNan ? 1.0F : 0.0F;
    window_[edge::kFakeMs] = fault_ == Fault::kSlowModel ? static_cast<float>(kTooLongMs) : 0.0F;
    if (fault_ == Fault::kNan) window_[6] = std::numeric_limits<float>::quiet_NaN();
    if (fault_ == Fault::kFlat) window_.fill(0.25F);
    constexpr uint64_t kWallJumpEvery = 500;
    Random random(seed_ ^ (cycle << 20));
    if (random.below(kWallJumpEvery) == 0)
      clock_.jump_wall_ms(static_cast<int64_t>(random.below(7'200'000)) - 3'600'000);
    event_ = {.sample = 0, .cycle = cycle};
    const bool in_two = fault_ == Fault::kTorn || fault_ == Fault::kLateWindow || cycle % kInTwoEvery == 0;
    const size_t frames = in_two ? edge::kFakeLength / 2 : edge::kFakeLength;
    rest_ = edge::kFakeLength - frames;
    // As from a socket, whose kernel stamps a packet when it comes and not when it is read.
    const int64_t arrival_ns = clock_.of_plc(plc_.cycles[cycle].issued_ns);
    return {.kind = edge::Block::Kind::kSamples,
            .planar = std::span<const float>(window_).first(frames),
            .frames = frames,
            .arrival_ns = arrives_when_read_ ? clock_.monotonic_ns() : arrival_ns,
            .events = std::span(&event_, 1)};
  }

  edge::Block rest() {
    const size_t frames = std::exchange(rest_, 0);
    const bool torn = fault_ == Fault::kTorn;
    if (fault_ == Fault::kLateWindow) clock_.pass_ms(kTooLongMs);
    // A kill may come between trigger and verdict.
    const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
    ::nanosleep(&pause, nullptr);
    return {.kind = edge::Block::Kind::kSamples,
            .planar = std::span<const float>(window_).last(torn ? frames - 1 : frames),
            .frames = torn ? frames - 1 : frames,
            .arrival_ns = clock_.monotonic_ns(),
            .gap_frames = torn ? 1U : 0U};
  }

  Plc& plc_;
  uint64_t seed_;
  bool arrives_when_read_;
  JumpingClock& clock_;
  edge::SourceCounters counters_;
  std::array<float, edge::kFakeLength> window_{};
  signal::TriggerEvent event_;
  Fault fault_ = Fault::kNone;
  size_t rest_ = 0;
};

// A disk that is slow now and then, full now and then.
class BadDisk final : public edge::RecordSink {
 public:
  BadDisk(edge::Journal& journal, uint64_t seed, Broken broken) : journal_(journal), random_(seed), broken_(broken) {}

  Status append(std::string_view lines, uint64_t first_id) override {
    const uint64_t draw = random_.below(1000);
    if (draw < 5) std::this_thread::sleep_for(std::chrono::milliseconds(5 + random_.below(20)));
    if (draw == 999) return fail(ErrorCode::kIo, "the disk is full");
    Status written = journal_.append(lines, first_id);
    if (broken_ == Broken::kWritesTwice && written && draw < 100) return fail(ErrorCode::kIo, "a lie");
    return written;
  }

 private:
  edge::Journal& journal_;
  Random random_;
  Broken broken_;
};

int complain(const Error& error) {
  std::fprintf(stderr, "campaign child: %s\n", error.message.c_str());
  return 3;
}

}  // namespace

int run_plc_child(Plc& plc, const ChildPlan& plan) {
  std::signal(SIGTERM, [](int) { asked_to_stop = 1; });
  if (plan.broken == Broken::kForgets) std::filesystem::remove(plan.folder / "ledger");
  auto journal = edge::Journal::open(plan.folder / "records", {.max_file_bytes = 8 << 20, .max_files = 100'000});
  if (!journal) return complain(journal.error());
  auto ledger =
      edge::Ledger::open({.path = plan.folder / "ledger",
                          .slots = kSlots,
                          .boot_id = "campaign",
                          .journal_last_id = journal->tail().stroke_id,
                          .journal_last_cycle = plan.broken == Broken::kForgets ? 0 : journal->tail().plc_cycle});
  if (!ledger) return complain(ledger.error());
  auto cutter = signal::WindowCutter::create(signal::ExternalTrigger{}, 1, edge::kFakeLength, kRateHz);
  if (!cutter) return complain(cutter.error());

  JumpingClock clock(plc);
  PlcSource source(plc, plan, clock);
  edge::RecordLines lines{model::RecordContext{}};
  BadDisk disk(*journal, plan.seed + plan.life, plan.broken);
  edge::RecordWriter writer(*ledger, disk, lines, journal->tail().stroke_id);
  PlcOutput output(plc);
  edge::LoopCounters counters;
  edge::StrokeLoop loop({source, *cutter, clock, *ledger, writer, output, counters},
                        {.deadline_ns = kDeadlineNs,
                         .expects_judge = true,
                         .max_strokes_per_second = 0.0,  // no machine is as fast as this one
                         .policy = {},
                         .alarm = {},
                         .trend = {}});
  const bool blind = plan.broken == Broken::kBlindToTime;
  loop.offer(std::make_unique<edge::FakeJudge>(1, edge::kFakeLength, [&clock, blind](float ms) {
    blind ? clock.pass_unseen_ms(static_cast<int64_t>(ms)) : clock.pass_ms(static_cast<int64_t>(ms));
  }));
  writer.start();
  plc.life.store(plan.life);
  loop.run();
  constexpr int64_t kPatienceMs = 20'000;
  const Status finished = writer.finish(kPatienceMs);
  return finished ? 0 : complain(finished.error());
}

}  // namespace millwright::campaign
