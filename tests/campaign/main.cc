// SPDX-License-Identifier: Apache-2.0
// Long checks with a seed and a negative control. Progress on stderr, one JSON line at the end.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/child_process.h"
#include "campaign/disk_fault.h"
#include "campaign/outbox_kill.h"
#include "campaign/outbox_power_cut.h"
#include "campaign/plc_link.h"
#include "campaign/soak.h"
#include "campaign/stroke_contract.h"
#include "campaign/stroke_path_load.h"

int main(int argc, char** argv) {
  CLI::App app{"Runs a campaign: many random trials, and variants broken on purpose that it must catch."};
  std::string name;
  millwright::campaign::CampaignOptions options;
  const std::filesystem::path programs = millwright::program_folder();
  options.agent = programs / "millwright-agent";
  app.add_option("--name", name, "which")
      ->required()
      ->check(CLI::IsMember({"stroke-contract", "outbox-kill", "outbox-power-cut", "plc-link", "soak", "disk-fault",
                             "stroke-path-load"}));
  app.add_option("--trials", options.trials,
                 "how many strokes, kills, cuts, failed syncs, cycles, rounds or (soak) seconds")
      ->required()
      ->check(CLI::Range(1UL, 10'000'000UL));
  app.add_option("--seed", options.seed, "of everything random");
  app.add_option("--agent", options.agent, "the program to kill");
  CLI11_PARSE(app, argc, argv);
  constexpr uint64_t kFewestStrokes = 1000;
  if (name == "stroke-contract" || name == "plc-link") options.trials = std::max(options.trials, kFewestStrokes);
  const auto run = [&] {
    using namespace millwright::campaign;
    if (name == "outbox-kill") return run_outbox_kill(options.trials, options.seed);
    if (name == "outbox-power-cut") {
      return run_outbox_power_cut(options.trials, options.seed, programs / "power_cut_guest");
    }
    if (name == "soak") return run_soak(options);
    if (name == "stroke-path-load") return run_stroke_path_load(options);
    if (name == "disk-fault") return run_disk_fault(options);
    return name == "plc-link" ? run_plc_link(options) : run_stroke_contract(options);
  };
  const auto line = run();
  if (!line) {
    std::fprintf(stderr, "campaign: %s\n", line.error().message.c_str());
    return millwright::exit_status(line.error().code);
  }
  std::printf("%s\n", line->dump().c_str());
  return (*line)["failures"] == 0 && (*line)["control_caught"] == true ? 0 : 1;
}
