// SPDX-License-Identifier: Apache-2.0
#include "campaign/stroke_path_load.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "campaign/fresh_folder.h"
#include "campaign/soak_faults.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

constexpr size_t kAssets = 2;
constexpr size_t kLength = 200;
constexpr size_t kMargin = kLength / 4;  // of quiet samples before and after, as the simulated press has them
constexpr double kRateHz = 10'000.0;
constexpr double kStrokesPerMinute = 1'200.0;
constexpr uint64_t kBacklog = 12'000;  // of each asset: more than a phase can replay
constexpr double kPhaseS = 15.0;
constexpr double kWarmUp = 0.2;  // of a phase's strokes
constexpr double kBar = 1.05;
constexpr double kQuietMs = 1.0;  // of an empty loop that sleeps 10 ms at a time, P99
// From the trigger to the arrival of the block that completes the window, by construction of the press.
constexpr double kWindowMs = 1e3 * static_cast<double>(kLength + 2 * kMargin - 1 - kMargin) / kRateHz;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0.0;
  std::ranges::sort(values);
  return values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))];
}

// Sleeps to the instants at which a press would hand over samples, and notes how late it wakes.
class EmptyLoop {
 public:
  EmptyLoop() : thread_([this] { run(); }) {}
  ~EmptyLoop() { stop(); }
  EmptyLoop(const EmptyLoop&) = delete;
  EmptyLoop& operator=(const EmptyLoop&) = delete;
  std::vector<double> stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    return late_ms_;
  }

 private:
  void run() {
    const auto pace = std::chrono::milliseconds(10);
    for (auto at = std::chrono::steady_clock::now() + pace; !stopped_; at += pace) {
      std::this_thread::sleep_until(at);
      late_ms_.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - at).count());
    }
  }
  std::atomic<bool> stopped_{false};
  std::vector<double> late_ms_;
  std::thread thread_;
};

// Stands in the stroke path on purpose: the agent is stopped for 20 ms twice a second, at no whole number of strokes,
// so that it does not always fall between two of them. What the measure must notice.
void wait_disturbing(const ChildProcess& agent, double until_s) {
  while (now_s() < until_s) {
    agent.signal(SIGSTOP);
    ::poll(nullptr, 0, 20);
    agent.signal(SIGCONT);
    ::poll(nullptr, 0, 467);
  }
}

enum class Arm : uint8_t { kAlone, kLoaded, kDisturbed };

struct Figures {
  std::vector<double> deciding_ms;  // last sample to verdict
  std::vector<double> empty_ms;
  uint64_t deadline_misses = 0;
  uint64_t sent = 0;  // messages from the backlog
  uint64_t scrapes = 0;
  uint64_t events = 0;
};

class Race {
 public:
  explicit Race(const CampaignOptions& options) : options_(options) {
    folder_ = fresh_folder();
    plan_ = {.folder = folder_, .programs = options.agent.parent_path(), .http_port = free_port(SOCK_STREAM)};
    broker_port_ = free_port(SOCK_STREAM);
  }
  ~Race() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  Status prepare();
  Status run(Arm arm, Figures& figures);

 private:
  [[nodiscard]] std::filesystem::path config(const std::string& name, const std::string& asset_lines, bool linked,
                                             uint64_t strokes) const;
  Status play_fast(const std::filesystem::path& config);
  Status read(uint64_t after, Figures& figures) const;
  [[nodiscard]] uint64_t sent() const;

  const CampaignOptions& options_;
  std::filesystem::path folder_;
  SoakPlan plan_;
  uint16_t broker_port_ = 0;
  std::filesystem::path alone_;
  std::filesystem::path linked_;
};

std::filesystem::path Race::config(const std::string& name, const std::string& asset_lines, bool linked,
                                   uint64_t strokes) const {
  auto path = folder_ / (name + ".toml");
  std::ofstream file(path);
  file << "[agent]\ndevice_id = \"box\"\nfactory_id = \"plant\"\nline_id = \"line\"\nstate = \"state\"\n";
  if (linked) {
    file << fmt::format("[http]\nport = {}\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\ntls = false\n", plan_.http_port,
                        broker_port_);
  } else {
    file << "[http]\nenabled = false\n";
  }
  for (size_t i = 0; i < kAssets; ++i) {
    file << fmt::format(
        "[[asset]]\nid = \"{}\"\n{}\ndeadline_ms = 250\n"
        "window = {{ channels = 1, length = {}, rate_hz = {:.1f} }}\ntrigger = {{ kind = \"external\" }}\n"
        "source = {{ kind = \"simulated-press\", strokes_per_minute = {:.1f}, strokes = {}, seed = {} }}\n"
        "output = {{ kind = \"none\", on_no_verdict = \"hold\", on_start = \"stop\", on_death = \"stop\" }}\n",
        soak_asset(i), asset_lines, kLength, kRateHz, kStrokesPerMinute, strokes, options_.seed + i);
  }
  return path;
}

Status Race::play_fast(const std::filesystem::path& config) {
  auto agent = MW_TRY(ChildProcess::start(
      {.argv = {options_.agent, "--config", config, "--fast"}, .out_file = folder_ / "prepare.log"}));
  if (agent.wait() == 0) return {};
  return fail(ErrorCode::kUnavailable, "the agent failed; see {}", (folder_ / "prepare.log").string());
}

// A model, and a state folder whose outbox holds what no broker has taken yet.
Status Race::prepare() {
  MW_CHECK_OK(play_fast(config("collect", "collect = { folder = \"windows\", windows = 300 }", false, 300)));
  auto tool =
      MW_TRY(ChildProcess::start({.argv = {plan_.programs / "millwright", "train", "--recordings", folder_ / "windows",
                                           "--rate", fmt::format("{}", kRateHz), "--out", folder_ / "press.bundle"},
                                  .out_file = folder_ / "prepare.log"}));
  if (tool.wait() != 0) return fail(ErrorCode::kUnavailable, "millwright train failed");
  std::filesystem::remove_all(folder_ / "state");
  const std::string bundle = "bundle = \"press.bundle\"";
  MW_CHECK_OK(play_fast(config("fill", bundle, true, kBacklog)));
  std::filesystem::rename(folder_ / "state", folder_ / "backlog");
  alone_ = config("alone", bundle, false, 0);
  linked_ = config("linked", bundle, true, 0);
  return {};
}

uint64_t Race::sent() const {
  const auto status = status_of(plan_);
  const nlohmann::json::json_pointer at("/uplink/sent/historical");
  return status.contains(at) ? status[at].get<uint64_t>() : 0;
}

Status Race::read(uint64_t after, Figures& figures) const {
  for (size_t i = 0; i < kAssets; ++i) {
    std::vector<model::StrokeRecord> records;
    std::vector<std::filesystem::path> files;
    for (const auto& one : std::filesystem::directory_iterator(folder_ / "state" / soak_asset(i) / "records")) {
      files.push_back(one.path());
    }
    std::ranges::sort(files);
    for (const auto& path : files) {
      std::ifstream in(path);
      for (std::string line; std::getline(in, line);) {
        if (line.find_first_not_of('\0') == std::string::npos) continue;
        const auto record = MW_TRY_IN(path.string(), model::parse_json_line(line));
        if (record.stroke_id > after) records.push_back(record);
      }
    }
    for (size_t k = static_cast<size_t>(kWarmUp * static_cast<double>(records.size())); k < records.size(); ++k) {
      figures.deadline_misses += records[k].reason == model::Reason::kDeadline ? 1 : 0;
      if (records[k].verdict == model::Verdict::kNoVerdict) continue;
      figures.deciding_ms.push_back(static_cast<double>(records[k].latency_ns) * 1e-6 - kWindowMs);
    }
  }
  return {};
}

Status Race::run(Arm arm, Figures& figures) {
  std::filesystem::remove_all(folder_ / "state");
  std::filesystem::copy(folder_ / "backlog", folder_ / "state", std::filesystem::copy_options::recursive);
  const bool loaded = arm == Arm::kLoaded;
  SoakBroker broker(folder_ / "broker", broker_port_);
  SoakHub hub(plan_, broker_port_);
  if (loaded) {
    std::filesystem::remove_all(folder_ / "broker");
    std::filesystem::remove(hub.alerts());
    MW_CHECK_OK(broker.start());
    MW_CHECK_OK(hub.start());
  }
  auto agent = MW_TRY(ChildProcess::start(
      {.argv = {options_.agent, "--config", loaded ? linked_ : alone_}, .out_file = folder_ / "agent.log"}));
  std::optional<Visitors> visitors;
  if (loaded) visitors.emplace(plan_.http_port, 10.0);
  EmptyLoop empty;
  const double end = now_s() + kPhaseS;
  if (arm == Arm::kDisturbed) wait_disturbing(agent, end);
  while (now_s() < end && !agent.poll()) ::poll(nullptr, 0, 100);
  const auto late = empty.stop();
  const auto warm = static_cast<std::ptrdiff_t>(kWarmUp * static_cast<double>(late.size()));
  figures.empty_ms.insert(figures.empty_ms.end(), late.begin() + warm, late.end());
  if (visitors) {
    figures.scrapes += visitors->scrapes;
    figures.events += visitors->events;
  }
  visitors.reset();
  agent.signal(SIGTERM);
  if (agent.wait() != 0) return fail(ErrorCode::kUnavailable, "the agent ended badly");
  if (loaded) figures.sent += sent();
  return read(kBacklog, figures);
}

nlohmann::ordered_json line_of(const Figures& f) {
  return {{"strokes", f.deciding_ms.size()},
          {"p50_ms", percentile(f.deciding_ms, 0.5)},
          {"p95_ms", percentile(f.deciding_ms, 0.95)},
          {"p99_ms", percentile(f.deciding_ms, 0.99)},
          {"max_ms", percentile(f.deciding_ms, 1.0)},
          {"trigger_to_verdict_p99_ms", percentile(f.deciding_ms, 0.99) + kWindowMs},
          {"deadline_misses", f.deadline_misses},
          {"empty_loop_p99_ms", percentile(f.empty_ms, 0.99)}};
}

}  // namespace

Result<nlohmann::ordered_json> run_stroke_path_load(const CampaignOptions& options) {
  Race race(options);
  MW_CHECK_OK(race.prepare());
  Figures alone;
  Figures loaded;
  Figures disturbed;
  std::vector<double> ratios;
  for (uint64_t round = 0; round < options.trials; ++round) {
    Figures a;
    Figures b;
    // Who goes first changes with the round.
    for (const bool first : {true, false}) {
      MW_CHECK_OK(first == (round % 2 == 0) ? race.run(Arm::kAlone, a) : race.run(Arm::kLoaded, b));
    }
    ratios.push_back(percentile(b.deciding_ms, 0.99) / percentile(a.deciding_ms, 0.99));
    std::fprintf(stderr, "stroke-path-load: round %lu: P99 %.3f and %.3f ms, empty loop %.3f and %.3f ms\n",
                 static_cast<unsigned long>(round + 1), percentile(a.deciding_ms, 0.99),
                 percentile(b.deciding_ms, 0.99), percentile(a.empty_ms, 0.99), percentile(b.empty_ms, 0.99));
    for (auto [from, into] : {std::pair{&a, &alone}, std::pair{&b, &loaded}}) {
      into->deciding_ms.insert(into->deciding_ms.end(), from->deciding_ms.begin(), from->deciding_ms.end());
      into->empty_ms.insert(into->empty_ms.end(), from->empty_ms.begin(), from->empty_ms.end());
      into->deadline_misses += from->deadline_misses;
      into->sent += from->sent;
      into->scrapes += from->scrapes;
      into->events += from->events;
    }
  }
  MW_CHECK_OK(race.run(Arm::kDisturbed, disturbed));
  const auto p99 = [](const Figures& f) { return percentile(f.deciding_ms, 0.99); };
  const uint64_t more_misses = loaded.deadline_misses - std::min(loaded.deadline_misses, alone.deadline_misses);
  const double ratio = p99(loaded) / p99(alone);
  return nlohmann::ordered_json{
      {"name", "stroke-path-load"},
      {"trials", options.trials},
      {"failures", (ratio > kBar ? 1U : 0U) + (more_misses > 0 ? 1U : 0U)},
      {"control_caught", p99(disturbed) / p99(alone) > kBar},
      {"seed", options.seed},
      {"p99_ratio", ratio},
      {"p99_ratio_rounds", {percentile(ratios, 0.0), percentile(ratios, 0.5), percentile(ratios, 1.0)}},
      {"trigger_to_verdict_p99_ratio", (p99(loaded) + kWindowMs) / (p99(alone) + kWindowMs)},
      // Where the machine's own tail is longer than this, the ratio says more about it than about the agent.
      {"machine_quiet", std::max(percentile(alone.empty_ms, 0.99), percentile(loaded.empty_ms, 0.99)) <= kQuietMs},
      {"empty_loop_p99_ratio", percentile(loaded.empty_ms, 0.99) / percentile(alone.empty_ms, 0.99)},
      {"alone", line_of(alone)},
      {"loaded", line_of(loaded)},
      {"replayed", loaded.sent},
      {"scrapes", loaded.scrapes},
      {"events", loaded.events},
      {"control", line_of(disturbed)}};
}

}  // namespace millwright::campaign
