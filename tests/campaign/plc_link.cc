// SPDX-License-Identifier: Apache-2.0
#include "campaign/plc_link.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "campaign/fault_proxy.h"
#include "campaign/plc_freeze.h"
#include "campaign/plc_sim.h"
#include "campaign/plc_stand_in.h"
#include "edge/plc/plc_output.h"

namespace millwright::campaign {
namespace {

using edge::plc::Block;
using edge::plc::PlcOptions;
using edge::plc::PlcOutput;

constexpr uint64_t kFaultEvery = 20;    // cycles whose link is cut, halved or late
constexpr uint64_t kOverlapEvery = 10;  // cycles that begin while a scan is under way
constexpr uint64_t kSpell = 64;         // cycles in which the PLC says, or does not say, which part it has
constexpr uint64_t kRebootEvery = 1'000;
constexpr uint64_t kClientShare = 5;  // one cycle in five is written by the agent, the others are polled
constexpr uint64_t kControlTrials = 6'000;
constexpr uint64_t kManyTrials = 100'000;
constexpr double kNanosPerMilli = 1e6;
constexpr int64_t kAgentTimeoutMs = 50;

struct LinkFigures {
  uint64_t cycles = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;   // NO_GO in time
  uint64_t rejected = 0;  // no result inside of the window
  uint64_t wrong_part = 0;
  uint64_t stale = 0;
  uint64_t torn = 0;
  uint64_t faults = 0;
  uint64_t reboots = 0;
  std::vector<int64_t> latency_ns;

  [[nodiscard]] uint64_t failures() const { return wrong_part + stale + torn; }
};

// The machine: parts come, are judged by what stands in the registers, and every judgement is held against the truth.
class Machine {
 public:
  Machine(edge::Output& output, FaultProxy& proxy, uint64_t seed, bool echoes_newest)
      : proxy_(proxy), seed_(seed), random_(seed), stand_in_(output, seed, echoes_newest) {}

  void begin() {
    ++figures_.cycles;
    quiet_ = quiet_ && !faulty_;
    faulty_ = random_.below(kFaultEvery) == 0;
    if (faulty_) {
      proxy_.arm(static_cast<LinkFault>(1 + random_.below(4)),
                 static_cast<int64_t>(random_.below(3 * kInspectWindowNs / 2)));
    }
    rules_.trigger(static_cast<uint32_t>(cycle()));
    triggered_ns_ = clock_.monotonic_ns();
    stand_in_.trigger(cycle());
  }
  // One scan; whether the part is judged.
  bool scan(const std::optional<Block>& block) {
    const int64_t now = clock_.monotonic_ns();
    rules_.scan(block, now);
    if (block && !is_whole(*block, seed_)) ++figures_.torn;
    if (!rules_.result()) return false;
    (rules_.accepted() ? figures_.accepted : figures_.refused) += 1;
    if (!is_of(*block, cycle(), seed_)) ++figures_.wrong_part;
    const int64_t stored = stand_in_.stored_ns(cycle());
    if (stored < triggered_ns_ || !rules_.alive(now)) ++figures_.stale;
    if (quiet_ && !faulty_) figures_.latency_ns.push_back(now - stored);
    return true;
  }
  void end(bool judged) {
    if (!judged) ++figures_.rejected;
    quiet_ = judged;
  }
  void link_lost() { rules_.link_lost(); }
  [[nodiscard]] int64_t left_ns() const { return triggered_ns_ + kInspectWindowNs - clock_.monotonic_ns(); }
  [[nodiscard]] uint64_t cycle() const { return figures_.cycles; }
  Random& random() { return random_; }
  LinkFigures& figures() { return figures_; }

 private:
  SystemClock clock_;
  FaultProxy& proxy_;
  uint64_t seed_;
  Random random_;
  PlcRules rules_;
  LinkFigures figures_;
  int64_t triggered_ns_ = 0;
  bool faulty_ = false;
  bool quiet_ = false;
  StandIn stand_in_;
};

void tell_progress(const char* what, uint64_t cycle, uint64_t cycles) {
  if (cycles >= kManyTrials && cycle % (cycles / 10) == 0)
    std::fprintf(stderr, "plc-link: %s: %lu cycles\n", what, cycle);
}

// The PLC polls as fast as it can.
Result<LinkFigures> poll_cycles(uint64_t cycles, uint64_t seed, bool echoes_newest) {
  const SystemClock clock;
  const auto output = MW_TRY(PlcOutput::create({.port = 0}, edge::FailSafe::kStop, clock));
  FaultProxy proxy(output->port());
  Machine machine(*output, proxy, seed, echoes_newest);
  PlcPoller plc(proxy.port(), kInspectWindowNs);
  bool says = false;
  bool said = true;  // what the control registers hold is what the PLC wants them to hold
  for (uint64_t i = 0; i < cycles; ++i) {
    std::optional<Block> block;
    const bool overlap = machine.random().below(kOverlapEvery) == 0 && plc.ask();
    machine.begin();
    bool judged = overlap && plc.take(block) && machine.scan(block);
    if (i % kSpell == 0) says = machine.random().below(2) == 0;
    if (i % kSpell == 0 || says) said = false;
    while (!judged && machine.left_ns() > 0) {
      if (!said) said = plc.tell({.cycle = says ? static_cast<uint32_t>(machine.cycle()) : 0});
      if (said && plc.read(block)) {
        judged = machine.scan(block);
      } else {
        machine.link_lost();
      }
    }
    machine.end(judged);
    tell_progress("polled", i + 1, cycles);
  }
  machine.figures().faults = proxy.done();
  return machine.figures();
}

// The agent writes; now and then the PLC is rebooted.
Result<LinkFigures> write_cycles(uint64_t cycles, uint64_t seed) {
  const SystemClock clock;
  PlcTarget plc;
  FaultProxy proxy(plc.port());
  const auto output =
      MW_TRY(PlcOutput::create({.role = PlcOptions::Role::kClient, .port = proxy.port(), .timeout_ms = kAgentTimeoutMs},
                               edge::FailSafe::kStop, clock));
  Machine machine(*output, proxy, seed, false);
  for (uint64_t i = 0; i < cycles; ++i) {
    if (machine.random().below(kRebootEvery) == 0) {
      plc.reboot();
      ++machine.figures().reboots;
    }
    machine.begin();
    if (i % kSpell < kSpell / 2) plc.tell({.cycle = static_cast<uint32_t>(machine.cycle())});
    if (i % kSpell == kSpell / 2) plc.tell({});
    bool judged = false;
    while (!judged && machine.left_ns() > 0) judged = machine.scan(plc.serve(machine.left_ns()));
    machine.end(judged);
    tell_progress("written", i + 1, cycles);
  }
  machine.figures().faults = proxy.done();
  // The agent says farewell to a PLC that no longer serves; its own timeout ends that.
  return machine.figures();
}

double percentile_ms(std::vector<int64_t>& values, double share) {
  if (values.empty()) return -1.0;
  std::ranges::sort(values);
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  return static_cast<double>(values[at]) / kNanosPerMilli;
}

uint64_t too_slow(const FreezeFigures& figures) {
  return static_cast<uint64_t>(std::ranges::count_if(figures.to_safe_ns, [](int64_t ns) { return ns > kFreezeBarNs; }));
}

nlohmann::ordered_json as_json(FreezeFigures& figures) {
  return {{"trials", figures.to_safe_ns.size()},
          {"p50_ms", percentile_ms(figures.to_safe_ns, 0.5)},
          {"p99_ms", percentile_ms(figures.to_safe_ns, 0.99)},
          {"max_ms", percentile_ms(figures.to_safe_ns, 1.0)},
          {"repeated", figures.repeated}};
}

nlohmann::ordered_json as_json(LinkFigures& figures) {
  return {{"cycles", figures.cycles},
          {"accepted", figures.accepted},
          {"refused", figures.refused},
          {"rejected", figures.rejected},
          {"wrong_part", figures.wrong_part},
          {"stale", figures.stale},
          {"torn", figures.torn},
          {"link_faults", figures.faults},
          {"reboots", figures.reboots},
          {"latency_n", figures.latency_ns.size()},
          {"latency_p50_ms", percentile_ms(figures.latency_ns, 0.5)},
          {"latency_p99_ms", percentile_ms(figures.latency_ns, 0.99)},
          {"latency_max_ms", percentile_ms(figures.latency_ns, 1.0)}};
}

}  // namespace

Result<nlohmann::ordered_json> run_plc_link(const CampaignOptions& options) {
  const uint64_t written_cycles = options.trials / kClientShare;
  const size_t freezes = options.trials >= kManyTrials ? 50 : 10;
  LinkFigures polled = MW_TRY(poll_cycles(options.trials - written_cycles, options.seed, false));
  LinkFigures written = MW_TRY(write_cycles(written_cycles, options.seed + 1));
  FreezeFigures stopped = MW_TRY(stop_agent(options.agent, freezes, options.seed));
  FreezeFigures hung = MW_TRY(hang_loop(freezes, options.seed, false));
  const LinkFigures newest = MW_TRY(poll_cycles(kControlTrials, options.seed, true));
  constexpr size_t kControlFreezes = 3;
  const FreezeFigures timer = MW_TRY(hang_loop(kControlFreezes, options.seed, true));
  const bool echo_caught = newest.wrong_part > 0;
  const bool timer_caught = too_slow(timer) == kControlFreezes;
  nlohmann::ordered_json line = {
      {"name", "plc-link"},
      {"trials", options.trials},
      {"failures", polled.failures() + written.failures() + too_slow(stopped) + too_slow(hung)},
      {"control_caught", echo_caught && timer_caught},
      {"seed", options.seed}};
  line["polled"] = as_json(polled);
  line["written"] = as_json(written);
  line["agent_stopped"] = as_json(stopped);
  line["loop_hung"] = as_json(hung);
  line["controls"] = {{"echo_of_newest_wrong_part", newest.wrong_part},
                      {"timer_heartbeat_never_safe", too_slow(timer)}};
  return line;
}

}  // namespace millwright::campaign
