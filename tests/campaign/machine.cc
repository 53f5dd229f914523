// SPDX-License-Identifier: Apache-2.0
#include "campaign/machine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/random.h"
#include "campaign/plc.h"

namespace millwright::campaign {
namespace {

using Instant = std::chrono::steady_clock::time_point;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr uint64_t kMaxStrokesWhileDead = 20;
constexpr uint64_t kMaxLifeUs = 60'000;
constexpr uint64_t kStopOneLifeIn = 6;
constexpr milliseconds kLongerThanDeadline{kDeadlineNs / 1'000'000 + 10};
constexpr milliseconds kChildPatience{60'000};

Instant now() { return std::chrono::steady_clock::now(); }

class Machine {
 public:
  explicit Machine(const RunPlan& plan) : plan_(plan), random_(plan.seed), plc_(plan.trials) {}

  Result<RunFigures> run() {
    // Strokes before the very first start are nobody's: the machine begins when somebody watches.
    start_child();
    wait_for_child();
    issue(1);
    wait_until_taken(kChildPatience);
    std::this_thread::sleep_for(milliseconds(50));
    while (plc_->issued < plan_.trials - 1) {
      issue(1 + random_.below(random_.below(100) == 0 ? 1000 : 40));
      pace();
      if (stop_ && now() >= *stop_) hold_child();
      if (now() >= end_) {
        // It ends while it has something to do.
        issue(1 + random_.below(40));
        std::this_thread::sleep_for(microseconds(random_.below(400)));
        end_child(random_.below(5) != 0);
        issue(random_.below(kMaxStrokesWhileDead));
        start_child();
        // Some do not live to see their first stroke.
        if (random_.below(4) != 0) wait_for_child();
        plan_life();
      }
      tell();
    }
    // The last stroke is one that somebody watches: it shows what was missed before.
    wait_for_child();
    issue(1);
    wait_until_taken(kChildPatience);
    end_child(false);
    figures_.findings = MW_TRY(check_journal({.folder = plan_.folder / "records",
                                              .cycles = plc_->issued,
                                              .deadline_ns = kDeadlineNs,
                                              .seed = plan_.seed,
                                              .plc = &*plc_}));
    return figures_;
  }

 private:
  void issue(uint64_t strokes) {
    for (const uint64_t last = std::min(plc_->issued + strokes, plan_.trials); plc_->issued < last;) {
      const uint64_t cycle = plc_->issued + 1;
      plc_->cycles[cycle].issued_ns = plc_->now_ns();
      plc_->issued.store(cycle, std::memory_order_release);
    }
  }

  // Mostly the machine is no faster than its reader, or a slow computer would see nothing but overload; now and then it
  // is. Where too little was decided all the same, it slows down: the campaign takes longer, and proves as much.
  void pace() {
    constexpr uint64_t kWantedDecidedPercent = 45;
    if (random_.below(8) != 0) wait_until_taken(milliseconds(10));
    std::this_thread::sleep_for(microseconds(random_.below(1500)));
    if (plc_->decided * 100 < plc_->issued * kWantedDecidedPercent) {
      wait_until_taken(milliseconds(20));
      std::this_thread::sleep_for(milliseconds(2));
    }
  }

  void wait_until_taken(milliseconds patience) const {
    const Instant until = now() + patience;
    while (plc_->taken < plc_->issued && now() < until) std::this_thread::sleep_for(microseconds(100));
  }

  void wait_for_child() const {
    const Instant until = now() + kChildPatience;
    while (plc_->life != life_ && now() < until) std::this_thread::sleep_for(microseconds(200));
    MW_CHECK(plc_->life == life_, "a loop that does not start is a failed campaign");
  }

  void start_child() {
    ++life_;
    child_ = ::fork();
    MW_CHECK(child_ >= 0, "a campaign needs processes");
    if (child_ == 0) {
      ::_exit(
          run_plc_child(*plc_, {.folder = plan_.folder, .seed = plan_.seed, .life = life_, .broken = plan_.broken}));
    }
    end_ = now();
  }

  void plan_life() {
    const uint64_t life_us = random_.below(kMaxLifeUs);
    end_ = now() + microseconds(life_us);
    stop_.reset();
    if (life_ % kStopOneLifeIn == 2) stop_ = now() + microseconds(random_.below(life_us + 1));
  }

  // The process stands still for longer than the deadline, as when a hypervisor takes its processor away; the strokes
  // go on, and what waited must not become a GO afterwards.
  void hold_child() {
    ::kill(child_, SIGSTOP);
    int status = 0;
    ::waitpid(child_, &status, WUNTRACED);
    MW_CHECK(WIFSTOPPED(status), "a loop that ends by itself is a failed campaign");
    const Instant until = now() + kLongerThanDeadline + milliseconds(random_.below(30));
    while (now() < until) {
      issue(random_.below(4));
      std::this_thread::sleep_for(milliseconds(2));
    }
    ::kill(child_, SIGCONT);
    ++figures_.stops;
    stop_.reset();
    end_ = now() + microseconds(random_.below(kMaxLifeUs));
  }

  void end_child(bool by_kill) {
    ::kill(child_, by_kill ? SIGKILL : SIGTERM);
    int status = 0;
    ::waitpid(child_, &status, 0);
    const bool as_told = by_kill             ? WIFSIGNALED(status) || WEXITSTATUS(status) == 0
                         : WIFEXITED(status) ? WEXITSTATUS(status) == 0
                                             : WTERMSIG(status) == SIGTERM;
    if (!as_told) ++figures_.bad_exits;
    ++(by_kill ? figures_.kills : figures_.terms);
  }

  void tell() {
    const uint64_t tenths = plc_->issued * 10 / plan_.trials;
    if (!plan_.tells || tenths <= told_) return;
    told_ = tenths;
    std::fprintf(stderr, "stroke-contract: %lu of %lu strokes, %lu kills, %lu stops\n",
                 static_cast<unsigned long>(plc_->issued.load()), static_cast<unsigned long>(plan_.trials),
                 static_cast<unsigned long>(figures_.kills), static_cast<unsigned long>(figures_.stops));
  }

  const RunPlan& plan_;
  Random random_;
  SharedPlc plc_;
  uint64_t life_ = 0;
  pid_t child_ = -1;
  Instant end_;
  std::optional<Instant> stop_;
  uint64_t told_ = 0;
  RunFigures figures_;
};

}  // namespace

Result<RunFigures> run_machine(const RunPlan& plan) {
  std::filesystem::create_directories(plan.folder);
  return Machine(plan).run();
}

}  // namespace millwright::campaign
