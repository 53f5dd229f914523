// SPDX-License-Identifier: Apache-2.0
// Long checks with a seed and a negative control. Progress on stderr, one JSON line at the end.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/child_process.h"
#include "campaign/agent_kill.h"
#include "campaign/broker_kill.h"
#include "campaign/disk_fault.h"
#include "campaign/hostile_broker.h"
#include "campaign/outage.h"
#include "campaign/outbox_kill.h"
#include "campaign/outbox_power_cut.h"
#include "campaign/plc_link.h"
#include "campaign/soak.h"
#include "campaign/stroke_contract.h"
#include "campaign/stroke_path_load.h"
#include "campaign/swap.h"
#include "inference/trial.h"

namespace {

using millwright::campaign::CampaignOptions;
using Run = millwright::Result<nlohmann::ordered_json> (*)(const CampaignOptions&);

constexpr uint64_t kFewestStrokes = 1000;

CampaignOptions with_strokes(CampaignOptions options) {
  options.trials = std::max(options.trials, kFewestStrokes);
  return options;
}

const std::map<std::string, Run> kCampaigns = {
    {"stroke-contract", [](const auto& options) { return run_stroke_contract(with_strokes(options)); }},
    {"plc-link", [](const auto& options) { return run_plc_link(with_strokes(options)); }},
    {"outbox-kill",
     [](const auto& options) { return millwright::campaign::run_outbox_kill(options.trials, options.seed); }},
    {"outbox-power-cut",
     [](const auto& options) {
       return millwright::campaign::run_outbox_power_cut(options.trials, options.seed,
                                                         millwright::program_folder() / "power_cut_guest");
     }},
    {"soak", [](const auto& options) { return run_soak(options); }},
    {"disk-fault", [](const auto& options) { return run_disk_fault(options); }},
    {"stroke-path-load", [](const auto& options) { return run_stroke_path_load(options); }},
    {"swap", [](const auto& options) { return run_swap(options); }},
    {"outage", [](const auto& options) { return run_outage(options); }},
    {"agent-kill", [](const auto& options) { return run_agent_kill(options); }},
    {"broker-kill", [](const auto& options) { return run_broker_kill(options); }},
    {"hostile-broker", [](const auto& options) { return run_hostile_broker(options); }},
};

}  // namespace

int main(int argc, char** argv) {
  millwright::inference::run_trial_child_if_asked(argc, argv);
  CLI::App app{"Runs a campaign: many random trials, and variants broken on purpose that it must catch."};
  std::string name;
  CampaignOptions options;
  options.agent = millwright::program_folder() / "millwright-agent";
  app.add_option("--name", name, "which one")->required()->check(CLI::IsMember(kCampaigns));
  app.add_option("--trials", options.trials,
                 "how many strokes, kills, cuts, failed syncs, cycles, swaps, rounds; of outage hours, of soak and "
                 "hostile-broker seconds")
      ->required()
      ->check(CLI::Range(1UL, 10'000'000UL));
  app.add_option("--seed", options.seed, "of everything random");
  app.add_option("--agent", options.agent, "the program to kill");
  CLI11_PARSE(app, argc, argv);
  const auto line = kCampaigns.at(name)(options);
  if (!line) {
    std::fprintf(stderr, "campaign: %s\n", line.error().message.c_str());
    return millwright::exit_status(line.error().code);
  }
  std::printf("%s\n", line->dump().c_str());
  return (*line)["failures"] == 0 && (*line)["control_caught"] == true ? 0 : 1;
}
