// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/demo_press.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json_fields.h"

namespace millwright::apps {
namespace {

std::string asset_config(const DemoPress& press, const DemoPhase& phase) {
  std::string text = fmt::format("\n[[asset]]\nid = \"{}\"\ndeadline_ms = {}\n", press.name, kDemoDeadlineMs);
  if (!phase.collect) text += fmt::format("bundle = {}\n", toml_text(phase.bundles / (press.name + ".bundle")));
  text += fmt::format("[asset.window]\nlength = {}\nrate_hz = {}\nchannel_names = [\"die accelerometer\"]\n",
                      kDemoWindow, kDemoRateHz);
  text += "[asset.trigger]\nkind = \"external\"\n";
  text += fmt::format("[asset.source]\nkind = \"simulated-press\"\nseed = {}\n", press.seed);
  if (press.failure > 0)
    text += fmt::format("wear_from_stroke = {}\nfailure_stroke = {}\n", press.wear_from, press.failure);
  if (press.loose_from > 0) text += fmt::format("loose_from_stroke = {}\n", press.loose_from);
  if (!phase.collect) text += fmt::format("fast_strokes_per_minute = {}\n", kDemoStrokesPerMinute);
  text += phase.collect ? fmt::format("strokes = {}\n", kDemoTrainingStrokes)
                        : fmt::format("first_stroke = {}\nstrokes = {}\n", kDemoTrainingStrokes + 1,
                                      kDemoStrokes - kDemoTrainingStrokes);
  text += "[asset.output]\nkind = \"none\"\non_start = \"stop\"\non_no_verdict = \"hold\"\non_death = \"stop\"\n";
  if (phase.collect) {
    text += fmt::format("[asset.collect]\nfolder = {}\nwindows = {}\n", toml_text(phase.training / press.name),
                        kDemoTrainingStrokes);
  }
  return text;
}

}  // namespace

std::string demo_config(const std::vector<DemoPress>& presses, const DemoPhase& phase) {
  std::string text = fmt::format(
      "# Written by `millwright demo`.\n[agent]\ndevice_id = \"demo-box\"\nfactory_id = \"demo\"\nline_id = "
      "\"line-1\"\nstate = {}\n",
      toml_text(phase.state));
  text += phase.link.empty() ? "[http]\nenabled = false\n" : phase.link;
  for (const DemoPress& press : presses) text += asset_config(press, phase);
  return text;
}

// JSON's strings are TOML's basic strings.
std::string toml_text(const std::filesystem::path& path) { return model::json_line(nlohmann::json(path.string())); }

std::vector<DemoPress> demo_presses() {
  return {{.name = "press-1", .story = "Healthy, with load changes. Nothing should be announced.", .seed = 11},
          {.name = "press-2",
           .story = "The die wears from stroke 1,200 and breaks at stroke 2,800. It should be announced long before.",
           .wear_from = 1'200,
           .failure = 2'800,
           .seed = 12},
          {.name = "press-3",
           .story = "The accelerometer comes loose at stroke 1,500. A maintenance call, never scrap.",
           .loose_from = 1'500,
           .seed = 13},
          {.name = "press-4", .story = "Healthy, another machine with its own normal.", .seed = 14}};
}

}  // namespace millwright::apps
