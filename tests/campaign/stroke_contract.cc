// SPDX-License-Identifier: Apache-2.0
#include "campaign/stroke_contract.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "campaign/agent_runs.h"
#include "campaign/fresh_folder.h"
#include "campaign/machine.h"

namespace millwright::campaign {
namespace {

constexpr uint64_t kControlTrials = 8'000;

// A variant broken on purpose. It must be noticed, and by nothing but what it is meant to cause.
struct Control {
  std::string_view name;
  Broken broken;
  uint64_t (*caused)(const JournalFindings&);
  uint64_t (*strange)(const JournalFindings&);
};

// What only the PLC's own stamps show.
uint64_t late_by_plc_alone(const JournalFindings& f) { return f.late_go - f.late_by_itself; }
uint64_t all_but_late_by_plc(const JournalFindings& f) { return f.failures() - late_by_plc_alone(f); }
uint64_t verdicts_wrong(const JournalFindings& f) { return f.late_go + f.contradictions + f.false_verdicts; }

constexpr std::array<Control, 4> kControls = {{
    {"forgets", Broken::kForgets, [](const JournalFindings& f) { return f.missing + f.disorder; }, verdicts_wrong},
    {"blind_to_time", Broken::kBlindToTime, late_by_plc_alone, all_but_late_by_plc},
    {"writes_twice", Broken::kWritesTwice, [](const JournalFindings& f) { return f.duplicates; },
     [](const JournalFindings& f) { return f.missing + verdicts_wrong(f); }},
    {"arrival_when_read", Broken::kArrivalWhenRead, late_by_plc_alone, all_but_late_by_plc},
}};

// What each control caused; `all_caught` only where each was noticed for its own reason.
Result<nlohmann::ordered_json> run_controls(const std::filesystem::path& folder, uint64_t seed, bool& all_caught) {
  nlohmann::ordered_json caused;
  all_caught = true;
  for (const Control& control : kControls) {
    const RunFigures figures = MW_TRY(run_machine(
        {.folder = folder / control.name, .trials = kControlTrials, .seed = seed, .broken = control.broken}));
    caused[std::string(control.name)] = control.caused(figures.findings);
    const uint64_t strange = control.strange(figures.findings) + figures.bad_exits;
    if (strange > 0) {
      std::fprintf(stderr, "stroke-contract: control %s: %lu findings that it should not cause\n",
                   std::string(control.name).c_str(), static_cast<unsigned long>(strange));
    }
    all_caught = all_caught && control.caused(figures.findings) > 0 && strange == 0;
  }
  return caused;
}

// A campaign in which hardly anything was decided would prove nothing.
bool enough_decided(const JournalFindings& found, uint64_t trials) {
  const auto count = [&](const char* verdict) {
    const auto at = found.verdicts.find(verdict);
    return at == found.verdicts.end() ? 0 : at->second;
  };
  return count("GO") >= trials / 10 && count("NO_GO") >= trials / 50;
}

}  // namespace

Result<nlohmann::ordered_json> run_stroke_contract(const CampaignOptions& options) {
  const auto folder = fresh_folder();
  bool caught = false;
  const nlohmann::ordered_json controls = MW_TRY(run_controls(folder, options.seed, caught));
  const RunFigures figures = MW_TRY(run_machine({.folder = folder / "machine",
                                                 .trials = options.trials,
                                                 .seed = options.seed,
                                                 .broken = Broken::kNot,
                                                 .tells = true}));
  const AgentFigures agents = MW_TRY(run_agents({.folder = folder / "agents",
                                                 .agent = options.agent,
                                                 .strokes = std::clamp<uint64_t>(options.trials / 50, 500, 20'000),
                                                 .seed = options.seed}));
  const JournalFindings& found = figures.findings;
  const bool decided = enough_decided(found, options.trials);
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
                                 {"contradictions", found.contradictions},
                                 {"false_verdicts", found.false_verdicts},
                                 {"heard_late", found.heard_late},
                                 {"heard_in_vain", found.heard_in_vain},
                                 {"kills", figures.kills},
                                 {"terms", figures.terms},
                                 {"stops", figures.stops},
                                 {"bad_exits", figures.bad_exits + agents.bad_exits},
                                 {"verdicts", found.verdicts},
                                 {"reasons", found.reasons},
                                 {"controls", controls},
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
