// SPDX-License-Identifier: Apache-2.0
#include "campaign/plc_freeze.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "base/check.h"
#include "base/child_process.h"
#include "base/free_port.h"
#include "base/random.h"
#include "campaign/plc_sim.h"
#include "edge/fake_records.h"
#include "edge/ledger.h"
#include "edge/plc/plc_output.h"
#include "edge/record_writer.h"
#include "edge/stroke_loop.h"

namespace millwright::campaign {
namespace {

using Instant = std::chrono::steady_clock;

constexpr int64_t kScanNs = 10'000'000;
constexpr int64_t kOversleptNs = 20'000'000;
constexpr auto kBeat = std::chrono::milliseconds(100);
constexpr uint64_t kRunOnNs = 300'000'000;
constexpr int64_t kPatienceNs = 30'000'000'000;

void sleep_ns(int64_t ns) { std::this_thread::sleep_for(std::chrono::nanoseconds(ns)); }

// The PLC's scan, every 10 ms.
class Scanner {
 public:
  explicit Scanner(uint16_t port) : poller_(port, kAnswerTimeoutNs) {}

  void scan() {
    std::optional<edge::plc::Block> block;
    if (poller_.read(block)) {
      rules_.scan(block, clock_.monotonic_ns());
    } else {
      rules_.link_lost();
    }
  }
  // Scans until it is as wished or the time is over; how long it took.
  int64_t until(bool safe, int64_t patience_ns) {
    const int64_t begin = clock_.monotonic_ns();
    overslept_ = false;
    while (true) {
      scan();
      const int64_t now = clock_.monotonic_ns();
      if (rules_.safe(now) == safe) return now - begin;
      if (now - begin > patience_ns) return kNeverNs;
      sleep_ns(kScanNs);
      if (clock_.monotonic_ns() - now > kScanNs + kOversleptNs) overslept_ = true;
    }
  }
  [[nodiscard]] bool overslept() const { return overslept_; }

 private:
  SystemClock clock_;
  PlcPoller poller_;
  PlcRules rules_;
  bool overslept_ = false;
};

Result<FreezeFigures> measure(Scanner& plc, size_t trials, uint64_t seed, const std::function<void(bool)>& freeze) {
  FreezeFigures figures;
  Random random(seed);
  for (size_t tries = 0; figures.to_safe_ns.size() < trials && tries < 4 * trials; ++tries) {
    if (plc.until(false, kPatienceNs) == kNeverNs) {
      return fail(ErrorCode::kUnavailable, "plc-link: the machine never came to run");
    }
    // The freeze falls anywhere between two heartbeats.
    const int64_t end = SystemClock().monotonic_ns() + static_cast<int64_t>(random.below(kRunOnNs));
    while (SystemClock().monotonic_ns() < end) {
      plc.scan();
      sleep_ns(kScanNs);
    }
    freeze(true);
    const int64_t took = plc.until(true, kNeverNs);
    freeze(false);
    if (plc.overslept()) {
      ++figures.repeated;
    } else {
      figures.to_safe_ns.push_back(took);
    }
  }
  if (figures.to_safe_ns.size() < trials) {
    return fail(ErrorCode::kUnavailable, "plc-link: this machine is too busy to scan every 10 ms");
  }
  return figures;
}

// A source whose next() hangs while it is told to.
class HangingSource final : public edge::SampleSource {
 public:
  [[nodiscard]] edge::SourceShape shape() const override { return {.channels = 1, .rate_hz = 1000.0}; }
  edge::Block next(size_t, int64_t until_ns) override {
    while (!stopped_ && (hangs_ || clock_.monotonic_ns() < until_ns)) sleep_ns(1'000'000);
    return {.kind = stopped_ ? edge::Block::Kind::kStopped : edge::Block::Kind::kIdle};
  }
  void stop() noexcept override { stopped_ = true; }
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const edge::SourceCounters& counters() const override { return counters_; }
  void hang(bool hangs) { hangs_ = hangs; }

 private:
  SystemClock clock_;
  edge::SourceCounters counters_;
  std::atomic<bool> hangs_{false};
  std::atomic<bool> stopped_{false};
};

// An output whose heartbeat is a timer's: it says that a thread lives, and not that strokes are watched.
class TimerHeart final : public edge::Output {
 public:
  explicit TimerHeart(edge::Output& output) : output_(output) {}
  ~TimerHeart() override {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void drive(const edge::OutputState& state) noexcept override { output_.drive(state); }
  void heartbeat(uint64_t) noexcept override {
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }

 private:
  void run() {
    for (uint64_t beat = 1; !stopped_; ++beat) {
      output_.heartbeat(beat);
      std::this_thread::sleep_for(kBeat);
    }
  }
  edge::Output& output_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace

Result<FreezeFigures> stop_agent(const std::filesystem::path& agent, size_t trials, uint64_t seed) {
  const TemporaryFolder folder;
  const uint16_t port = MW_TRY(free_port());
  const auto config = folder.path() / "agent.toml";
  std::ofstream(config) << "[agent]\ndevice_id = \"box\"\nfactory_id = \"f\"\nline_id = \"l\"\nstate = \"state\"\n"
                           "[http]\nenabled = false\n[[asset]]\nid = \"press\"\ndeadline_ms = 1000\n"
                           "window = { length = 2000, rate_hz = 10000.0 }\ntrigger = { kind = \"external\" }\n"
                           "source = { kind = \"simulated-press\", strokes_per_minute = 120.0 }\n"
                           "output = { kind = \"modbus-server\", port = "
                        << port << ", on_no_verdict = \"pass\", on_start = \"pass\", on_death = \"stop\" }\n";
  ChildProcess child = MW_TRY(
      ChildProcess::start({.argv = {agent.string(), "--config", config.string()}, .out_file = folder.path() / "log"}));
  Scanner plc(port);
  auto figures = measure(plc, trials, seed, [&](bool frozen) { child.signal(frozen ? SIGSTOP : SIGCONT); });
  child.signal(SIGCONT);
  child.signal(SIGTERM);
  return figures;
}

Result<FreezeFigures> hang_loop(size_t trials, uint64_t seed, bool by_timer) {
  const SystemClock clock;
  const TemporaryFolder folder;
  const auto output = MW_TRY(edge::plc::PlcOutput::create({.port = 0}, edge::FailSafe::kStop, clock));
  TimerHeart timer(*output);
  HangingSource source;
  auto cutter = MW_TRY(signal::WindowCutter::create(signal::ExternalTrigger{}, 1, 8, 1000.0));
  auto ledger = MW_TRY(edge::Ledger::open({.path = folder.path() / "ledger", .slots = 64, .boot_id = "b"}));
  edge::FakeSink sink;
  edge::RecordLines lines{model::RecordContext{}};
  edge::RecordWriter writer(ledger, sink, lines, 0);
  edge::LoopCounters counters;
  edge::StrokeLoopOptions options;
  options.policy.on_start = edge::FailSafe::kPass;
  edge::Output& heart = by_timer ? static_cast<edge::Output&>(timer) : *output;
  edge::StrokeLoop loop({source, cutter, clock, ledger, writer, heart, counters}, options);
  std::thread stroke_thread([&] { loop.run(); });
  Scanner plc(output->port());
  auto figures = measure(plc, trials, seed, [&](bool frozen) { source.hang(frozen); });
  source.stop();
  stroke_thread.join();
  return figures;
}

}  // namespace millwright::campaign
