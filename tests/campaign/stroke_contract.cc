// SPDX-License-Identifier: Apache-2.0
#include "campaign/stroke_contract.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <new>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/random.h"
#include "campaign/agent_runs.h"
#include "campaign/journal_check.h"
#include "campaign/plc_child.h"

namespace millwright::campaign {
namespace {

using Instant = std::chrono::steady_clock::time_point;
constexpr uint64_t kControlTrials = 4'000;
constexpr uint64_t kMaxStrokesWhileDead = 20;

struct RunFigures {
  JournalFindings findings;
  uint64_t kills = 0;
  uint64_t terms = 0;
  uint64_t bad_exits = 0;
};

// The machine: makes strokes, kills the process that watches them, starts it again.
class Machine {
 public:
  Machine(const ChildPlan& plan, uint64_t trials)
      : plan_(plan), trials_(trials), random_(plan.seed), plc_(shared_plc()) {}
  ~Machine() { ::munmap(plc_, sizeof(Plc)); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Result<RunFigures> run() {
    uint64_t told = 0;
    // Strokes before the very first start are nobody's: the machine begins when somebody watches.
    start_child();
    wait_for_child();
    issue(1);
    wait_until_taken();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    while (plc_->issued < trials_ - 1) {
      // Mostly at a pace that a disk can follow; now and then a burst that it cannot.
      issue(1 + random_.below(random_.below(50) == 0 ? 1000 : 40));
      std::this_thread::sleep_for(std::chrono::microseconds(random_.below(1500)));
      if (std::chrono::steady_clock::now() >= end_) {
        end_child(random_.below(5) != 0);
        issue(random_.below(kMaxStrokesWhileDead));
        start_child();
      }
      if (trials_ > kControlTrials && plc_->issued * 10 / trials_ > told) {
        told = plc_->issued * 10 / trials_;
        std::fprintf(stderr, "stroke-contract: %lu of %lu strokes, %lu kills\n",
                     static_cast<unsigned long>(plc_->issued.load()), static_cast<unsigned long>(trials_),
                     static_cast<unsigned long>(figures_.kills));
      }
    }
    // The last stroke is one that somebody watches: it shows what was missed before.
    wait_for_child();
    issue(1);
    wait_until_taken();
    end_child(false);
    figures_.findings = MW_TRY(check_journal(
        {.folder = plan_.folder / "records", .cycles = plc_->issued, .deadline_ns = kDeadlineNs, .seed = plan_.seed}));
    return figures_;
  }

 private:
  static Plc* shared_plc() {
    void* memory = ::mmap(nullptr, sizeof(Plc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MW_CHECK(memory != MAP_FAILED, "a page of memory is always to be had");
    return new (memory) Plc();
  }

  void issue(uint64_t strokes) {
    plc_->issued.store(std::min(plc_->issued + strokes, trials_), std::memory_order_release);
  }

  void wait_for_child() const {
    while (plc_->life != plan_.life) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void wait_until_taken() const {
    while (plc_->taken < plc_->issued) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  void start_child() {
    ++plan_.life;
    child_ = ::fork();
    MW_CHECK(child_ >= 0, "a campaign needs processes");
    if (child_ == 0) ::_exit(run_plc_child(*plc_, plan_));
    end_ = std::chrono::steady_clock::now() + std::chrono::microseconds(random_.below(60'000));
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

  ChildPlan plan_;
  uint64_t trials_;
  Random random_;
  Plc* plc_;
  pid_t child_ = -1;
  Instant end_;
  RunFigures figures_;
};

Result<RunFigures> run_machine(const std::filesystem::path& folder, uint64_t trials, uint64_t seed, Broken broken) {
  std::filesystem::create_directories(folder);
  return Machine({.folder = folder, .seed = seed, .life = 0, .broken = broken}, trials).run();
}

// Each broken variant must be noticed, and by the finding that it is meant to cause.
Result<bool> controls_caught(const std::filesystem::path& folder, uint64_t seed) {
  const auto forgets = MW_TRY(run_machine(folder / "forgets", kControlTrials, seed, Broken::kForgets));
  const auto blind = MW_TRY(run_machine(folder / "blind", kControlTrials, seed, Broken::kBlindToTime));
  const auto twice = MW_TRY(run_machine(folder / "twice", kControlTrials, seed, Broken::kWritesTwice));
  std::fprintf(stderr, "stroke-contract: controls: forgets %lu missing, blind %lu late, twice %lu duplicates\n",
               static_cast<unsigned long>(forgets.findings.missing + forgets.findings.disorder),
               static_cast<unsigned long>(blind.findings.late_go),
               static_cast<unsigned long>(twice.findings.duplicates));
  return forgets.findings.missing + forgets.findings.disorder > 0 && blind.findings.late_go > 0 &&
         twice.findings.duplicates > 0;
}

std::filesystem::path fresh_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "millwright-campaign-XXXXXX").string();
  MW_CHECK(::mkdtemp(name.data()) != nullptr, "a campaign needs a folder");
  return name;
}

}  // namespace

Result<nlohmann::ordered_json> run_stroke_contract(const CampaignOptions& options) {
  const auto folder = fresh_folder();
  const bool caught = MW_TRY(controls_caught(folder, options.seed));
  const RunFigures figures = MW_TRY(run_machine(folder / "machine", options.trials, options.seed, Broken::kNot));
  const AgentFigures agents = MW_TRY(run_agents({.folder = folder / "agents",
                                                 .agent = options.agent,
                                                 .strokes = std::clamp<uint64_t>(options.trials / 50, 500, 20'000),
                                                 .seed = options.seed}));
  const JournalFindings& found = figures.findings;
  // A campaign in which hardly anything was decided would prove nothing.
  const auto go = found.verdicts.find("GO");
  const bool decided = go != found.verdicts.end() && go->second * 5 >= options.trials;
  const uint64_t failures = found.failures() + figures.bad_exits + agents.findings.failures() + agents.bad_exits;
  nlohmann::ordered_json line = {{"name", "stroke-contract"},
                                 {"trials", options.trials},
                                 {"failures", failures + (decided ? 0 : 1)},
                                 {"control_caught", caught},
                                 {"seed", options.seed},
                                 {"records", found.records},
                                 {"missing", found.missing},
                                 {"duplicates", found.duplicates},
                                 {"disorder", found.disorder},
                                 {"late_go", found.late_go},
                                 {"false_verdicts", found.false_verdicts},
                                 {"kills", figures.kills},
                                 {"terms", figures.terms},
                                 {"bad_exits", figures.bad_exits + agents.bad_exits},
                                 {"verdicts", found.verdicts},
                                 {"reasons", found.reasons},
                                 {"agent_strokes", agents.strokes},
                                 {"agent_records", agents.findings.records},
                                 {"agent_kills", agents.kills},
                                 {"agent_failures", agents.findings.failures()},
                                 {"agent_reasons", agents.findings.reasons}};
  if (failures == 0 && caught && decided) {
    std::filesystem::remove_all(folder);
  } else {
    line["kept"] = folder.string();
  }
  return line;
}

}  // namespace millwright::campaign
