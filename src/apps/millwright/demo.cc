// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/demo.h"

#include <memory>

#include "apps/millwright/command.h"

namespace millwright::apps {

Command demo_command(CLI::App& program) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* app = program.add_subcommand("demo", "the main job from beginning to end: collect, train, decide, report");
  app->add_option("--out", options->out,
                  "folder for everything that is written; its state, training and bundles are made new")
      ->capture_default_str();
  app->add_option("--data", options->data, "a folder of recordings to use instead of simulated presses");
  app->add_option("--rate", options->rate_hz, "their samples per second, where the files do not say");
  app->add_option("--window", options->window, "samples per stroke, for long recordings")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  return {app, [options] { return options->data.empty() ? demo_on_presses(*options) : demo_on_recordings(*options); }};
}

}  // namespace millwright::apps
