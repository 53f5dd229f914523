// SPDX-License-Identifier: Apache-2.0
#include "campaign/swap.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "campaign/fresh_folder.h"
#include "campaign/soak_plant.h"
#include "edge/judges/bundle_judge.h"
#include "edge/ledger.h"
#include "edge/record_writer.h"
#include "edge/stroke_loop.h"

namespace millwright::campaign {
namespace {

using namespace edge;

constexpr int64_t kPeriodNs = 500'000;         // 2 kHz
constexpr int64_t kSwapPeriodNs = 25'000'000;  // 400 in 10 s
constexpr uint64_t kSwapsPerRound = 400;
constexpr uint64_t kStrokesPerSwap = kSwapPeriodNs / kPeriodNs;
constexpr int64_t kDeadlineNs = 500'000'000;
constexpr double kMostExtraMs = 1.0;
constexpr int64_t kTakenWithinNs = 60'000'000'000;
constexpr size_t kStrokeKinds = 16;
// A machine that others use too takes longer for the same swaps; what is later than this is not measured.
constexpr uint64_t kMostTimesLonger = 8;
constexpr std::array<const char*, 2> kBundles = {"a.bundle", "b.bundle"};

// What is asked is the program's own pause, not what else the machine runs: both threads that are compared go before
// other work where this user may do that; the one that builds judges does not.
bool go_first() {
  const sched_param param{.sched_priority = 5};
  return ::pthread_setschedparam(::pthread_self(), SCHED_RR, &param) == 0;
}

void sleep_until(int64_t monotonic_ns) {
  const timespec at{.tv_sec = monotonic_ns / 1'000'000'000, .tv_nsec = monotonic_ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// A whole stroke at each instant of a fixed grid, so many and then until all is done that goes on beside them; one that
// is late does not move those after it.
class PacedSource final : public SampleSource {
 public:
  PacedSource(uint64_t strokes, uint64_t seed, const std::atomic<bool>& done, const Clock& clock)
      : strokes_(strokes), done_(done), clock_(clock) {
    Random random(seed);
    samples_.resize(kStrokeKinds * kSoakFrames);
    for (size_t i = 0; i < kStrokeKinds; ++i) {
      make_soak_stroke(random, false, std::span(samples_).subspan(i * kSoakFrames, kSoakFrames));
    }
  }
  void begin(int64_t at_ns) { start_ns_ = at_ns; }
  [[nodiscard]] int64_t due(uint64_t cycle) const { return start_ns_ + static_cast<int64_t>(cycle) * kPeriodNs; }

  [[nodiscard]] SourceShape shape() const override { return {.channels = 1, .rate_hz = kSoakRateHz}; }
  Block next(size_t /*most*/, int64_t until_ns) override {
    if (cycle_ >= strokes_ && done_) return {.kind = Block::Kind::kEnd};
    if (due(cycle_ + 1) > until_ns) {
      sleep_until(until_ns);
      return {};
    }
    sleep_until(due(++cycle_));
    event_[0] = {.sample = 0, .cycle = cycle_};
    return {.kind = Block::Kind::kSamples,
            .planar = std::span(samples_).subspan(cycle_ % kStrokeKinds * kSoakFrames, kSoakFrames),
            .frames = kSoakFrames,
            .arrival_ns = clock_.monotonic_ns(),
            .events = event_};
  }
  // It ends by itself.
  void stop() noexcept override {}
  [[nodiscard]] uint64_t strokes() const { return cycle_; }
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const SourceCounters& counters() const override { return counters_; }

 private:
  uint64_t strokes_;
  const std::atomic<bool>& done_;
  const Clock& clock_;
  int64_t start_ns_ = 0;
  uint64_t cycle_ = 0;
  std::vector<float> samples_;
  std::array<signal::TriggerEvent, 1> event_;
  SourceCounters counters_;
};

// How long after its instant each stroke was decided.
class PauseWatcher final : public WindowWatcher {
 public:
  PauseWatcher(const PacedSource& source, uint64_t strokes, const Clock& clock) : source_(source), clock_(clock) {
    late_ns_.reserve(kMostTimesLonger * strokes);
  }
  void decided(const model::StrokeRecord& record, const signal::Window&) noexcept override {
    if (late_ns_.size() < late_ns_.capacity())
      late_ns_.push_back(clock_.monotonic_ns() - source_.due(record.plc_cycle));
    if (record.verdict != model::Verdict::kNoVerdict) ++verdicts_;
  }
  [[nodiscard]] const std::vector<int64_t>& late_ns() const { return late_ns_; }
  [[nodiscard]] uint64_t verdicts() const { return verdicts_; }

 private:
  const PacedSource& source_;
  const Clock& clock_;
  std::vector<int64_t> late_ns_;
  uint64_t verdicts_ = 0;
};

// The same grid with nothing to do.
class EmptyGrid {
 public:
  EmptyGrid(int64_t start_ns, uint64_t strokes, const std::atomic<bool>& done, const Clock& clock) {
    late_ns_.reserve(kMostTimesLonger * strokes);
    thread_ = std::thread([this, start_ns, strokes, &done, &clock] {
      go_first();
      for (uint64_t i = 1; i <= strokes || !done; ++i) {
        const int64_t due = start_ns + static_cast<int64_t>(i) * kPeriodNs;
        sleep_until(due);
        if (late_ns_.size() < late_ns_.capacity()) late_ns_.push_back(clock.monotonic_ns() - due);
      }
    });
  }
  std::vector<int64_t> finish() {
    thread_.join();
    return std::move(late_ns_);
  }

 private:
  std::vector<int64_t> late_ns_;
  std::thread thread_;
};

class CountingSink final : public RecordSink {
 public:
  Status append(std::string_view lines, uint64_t) override {
    lines_ += static_cast<uint64_t>(std::ranges::count(lines, '\n'));
    return {};
  }
  [[nodiscard]] uint64_t lines() const { return lines_; }

 private:
  std::atomic<uint64_t> lines_{0};
};

// The control: a bundle that is read, proven and opened when the first stroke asks for it, on the stroke's own thread.
class LazyJudge final : public Judge {
 public:
  explicit LazyJudge(std::filesystem::path bundle) : bundle_(std::move(bundle)) { facts_ = open()->facts(); }
  [[nodiscard]] const JudgeFacts& facts() const override { return facts_; }
  [[nodiscard]] bool judge(const signal::Window& window, Judgement& judgement) noexcept override {
    if (!real_) real_ = open();
    return real_->judge(window, judgement);
  }
  [[nodiscard]] std::string_view error() const noexcept override { return real_ ? real_->error() : ""; }

 private:
  [[nodiscard]] std::unique_ptr<Judge> open() const {
    const auto loaded = model::load_bundle(bundle_);
    MW_CHECK(loaded.has_value() && try_rung(*loaded, {}, {}).has_value(), "the bundle is sound");
    auto made = make_judge(*loaded, {}, {});
    MW_CHECK(made.has_value(), "the bundle was proven");
    return *std::move(made);
  }

  std::filesystem::path bundle_;
  JudgeFacts facts_;
  std::unique_ptr<Judge> real_;
};

enum class Arm : uint8_t { kQuiet, kSwaps, kControl };

struct Round {
  uint64_t strokes = 0;
  uint64_t records = 0;
  uint64_t verdicts = 0;
  uint64_t swaps = 0;
  double longest_ms = 0.0;
  double empty_longest_ms = 0.0;
  double p99_ms = 0.0;
  double empty_p99_ms = 0.0;
};

double at(std::vector<int64_t> values, double p) {
  if (values.empty()) return 0.0;
  std::ranges::sort(values);
  return static_cast<double>(values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))]) * 1e-6;
}

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * 4096e-6;
}

class Bench {
 public:
  Bench(std::filesystem::path folder, std::vector<model::LoadedBundle> bundles, uint64_t seed)
      : folder_(std::move(folder)), bundles_(std::move(bundles)), seed_(seed) {}

  Result<Round> run(Arm arm, uint64_t swaps);
  // The last run's threads had real-time priority.
  [[nodiscard]] bool went_first() const { return goes_first_; }

 private:
  Result<std::unique_ptr<Judge>> build(Arm arm);
  Status swap(Arm arm, uint64_t swaps, int64_t start_ns, StrokeLoop& loop);

  std::filesystem::path folder_;
  std::vector<model::LoadedBundle> bundles_;
  uint64_t seed_;
  uint64_t built_ = 0;
  bool goes_first_ = false;
  SystemClock clock_;
};

Result<std::unique_ptr<Judge>> Bench::build(Arm arm) {
  const size_t which = ++built_ % bundles_.size();
  if (arm == Arm::kControl) return std::make_unique<LazyJudge>(folder_ / kBundles[which]);
  return make_judge(bundles_[which], {}, {});
}

Status Bench::swap(Arm arm, uint64_t swaps, int64_t start_ns, StrokeLoop& loop) {
  for (uint64_t i = 1; i <= swaps; ++i) {
    auto next = MW_TRY(build(arm));
    sleep_until(start_ns + static_cast<int64_t>(i) * kSwapPeriodNs);
    loop.offer(std::move(next));
    // The loop takes one only where the last it put down is gone.
    const int64_t until = clock_.monotonic_ns() + kTakenWithinNs;
    while (!loop.retired()) {
      if (clock_.monotonic_ns() > until) return fail(ErrorCode::kTimedOut, "swap {} was never taken", i);
      sleep_until(clock_.monotonic_ns() + kPeriodNs / 2);
    }
  }
  return {};
}

Result<Round> Bench::run(Arm arm, uint64_t swaps) {
  const uint64_t strokes = swaps * kStrokesPerSwap + 2 * kStrokesPerSwap;
  std::filesystem::remove(folder_ / "ledger");
  std::atomic<bool> done{arm == Arm::kQuiet};
  PacedSource source(strokes, seed_, done, clock_);
  auto cutter = MW_TRY(signal::WindowCutter::create(signal::ExternalTrigger{}, 1, kSoakFrames, kSoakRateHz));
  Ledger ledger = MW_TRY(Ledger::open({.path = folder_ / "ledger", .slots = 4096, .boot_id = boot_id()}));
  CountingSink sink;
  RecordLines lines(model::RecordContext{});
  RecordWriter writer(ledger, sink, lines, 0);
  NoOutput output;
  LoopCounters counters;
  PauseWatcher watcher(source, strokes, clock_);
  StrokeLoop loop({.source = source,
                   .cutter = cutter,
                   .clock = clock_,
                   .ledger = ledger,
                   .writer = writer,
                   .output = output,
                   .counters = counters,
                   .watcher = &watcher},
                  {.deadline_ns = kDeadlineNs, .expects_judge = true, .max_strokes_per_second = 0.0});
  loop.offer(MW_TRY(build(Arm::kQuiet)));
  writer.start();
  const int64_t start = clock_.monotonic_ns() + 100'000'000;
  source.begin(start);
  EmptyGrid empty(start, strokes, done, clock_);
  std::thread stroke_thread([this, &loop] {
    goes_first_ = go_first();
    loop.run();
  });
  const Status swapped = arm == Arm::kQuiet ? Status() : swap(arm, swaps, start, loop);
  done = true;
  stroke_thread.join();
  const std::vector<int64_t> nothing = empty.finish();
  MW_CHECK_OK(writer.finish(10'000));
  MW_CHECK_OK(swapped);
  return Round{.strokes = source.strokes(),
               .records = sink.lines(),
               .verdicts = watcher.verdicts(),
               .swaps = counters.judge_swaps.get(),
               .longest_ms = at(watcher.late_ns(), 1.0),
               .empty_longest_ms = at(nothing, 1.0),
               .p99_ms = at(watcher.late_ns(), 0.99),
               .empty_p99_ms = at(nothing, 0.99)};
}

nlohmann::ordered_json as_json(const Round& round) {
  return {{"strokes", round.strokes}, {"records", round.records},          {"missed", round.strokes - round.verdicts},
          {"swaps", round.swaps},     {"longest_ms", round.longest_ms},    {"empty_longest_ms", round.empty_longest_ms},
          {"p99_ms", round.p99_ms},   {"empty_p99_ms", round.empty_p99_ms}};
}

}  // namespace

Result<nlohmann::ordered_json> run_swap(const CampaignOptions& options) {
  const auto folder = fresh_folder();
  const SoakPlan plan{.folder = folder, .programs = options.agent.parent_path(), .seed = options.seed};
  MW_CHECK_OK(train_bundles(plan));
  std::vector<model::LoadedBundle> bundles;
  for (const char* name : kBundles) bundles.push_back(MW_TRY(model::load_bundle(folder / name)));
  Bench bench(folder, std::move(bundles), options.seed);
  nlohmann::ordered_json rounds = nlohmann::ordered_json::array();
  uint64_t missed = 0;
  uint64_t missed_quiet = 0;  // no swap's doing: the machine stood still
  uint64_t swaps = 0;
  uint64_t unwhole = 0;
  double extra = -1e9;  // of the worst round
  std::vector<double> extras;
  double first_mb = 0.0;
  for (uint64_t left = options.trials; left > 0;) {
    const uint64_t count = std::min(left, kSwapsPerRound);
    left -= count;
    const Round quiet = MW_TRY(bench.run(Arm::kQuiet, count));
    const Round busy = MW_TRY(bench.run(Arm::kSwaps, count));
    if (first_mb == 0.0) first_mb = resident_mb();
    missed += busy.strokes - busy.verdicts;
    missed_quiet += quiet.strokes - quiet.verdicts;
    swaps += busy.swaps;
    unwhole += busy.records == busy.strokes && busy.swaps == count ? 0 : 1;
    extras.push_back(busy.longest_ms - busy.empty_longest_ms);
    extra = std::max(extra, extras.back());
    rounds.push_back({{"quiet", as_json(quiet)}, {"swapping", as_json(busy)}, {"extra_ms", extras.back()}});
    std::fprintf(stderr, "swap: %lu of %lu; longest %.3f ms, empty loop %.3f ms\n", options.trials - left,
                 options.trials, busy.longest_ms, busy.empty_longest_ms);
  }
  const double last_mb = resident_mb();
  const Round control = MW_TRY(bench.run(Arm::kControl, std::min<uint64_t>(options.trials, 40)));
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  std::ranges::sort(extras);
  const double control_extra = control.p99_ms - control.empty_p99_ms;
  // The longest of a round is the machine's pause as often as ours: both threads must have met the same one. A long
  // campaign judges the median of its rounds, a short one shows it.
  const bool judged = extras.size() >= 3;
  const double median = extras[extras.size() / 2];
  const bool too_long = judged && median > kMostExtraMs;
  return nlohmann::ordered_json{{"name", "swap"},
                                {"trials", options.trials},
                                {"failures", missed + unwhole + (too_long ? 1 : 0)},
                                {"control_caught", control_extra > kMostExtraMs},
                                {"seed", options.seed},
                                {"swaps", swaps},
                                {"missed", missed},
                                {"missed_quiet", missed_quiet},
                                {"extra_ms_median_of_rounds", median},
                                {"extra_ms_worst_round", extra},
                                {"extra_judged", judged},
                                {"real_time_priority", bench.went_first()},
                                {"rss_first_mb", first_mb},
                                {"rss_last_mb", last_mb},
                                {"control", as_json(control)},
                                {"rounds", std::move(rounds)}};
}

}  // namespace millwright::campaign
