// SPDX-License-Identifier: Apache-2.0
// millwright: the engineer's tool.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/ranges.h>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "apps/millwright/command.h"
#include "base/nearest_word.h"
#include "inference/trial.h"

namespace {

using millwright::apps::Command;

// An error is one line, whatever it was made of.
int stop(std::string message, int status) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  fmt::print(stderr, "millwright: {}\n", message);
  return status;
}

// What CLI11 has no words for: a first word that is no command.
std::string usage_problem(const CLI::App& program, const CLI::ParseError& error, const char* first) {
  if (!program.get_subcommands().empty() || first == nullptr || *first == '-') {
    return fmt::format("{} (see --help)", error.what());
  }
  std::vector<std::string> known;
  for (const CLI::App* command : program.get_subcommands(nullptr)) known.push_back(command->get_name());
  const auto meant = millwright::nearest_word(first, known);
  return meant ? fmt::format("there is no command '{}'; did you mean '{}'?", first, *meant)
               : fmt::format("there is no command '{}'; there are {}", first, fmt::join(known, ", "));
}

int run_chosen(const std::vector<Command>& commands) {
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    const auto result = command.run();
    if (!result) return stop(result.error().message, millwright::exit_status(result.error().code));
    return *result;
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  millwright::inference::run_trial_child_if_asked(argc, argv);
  CLI::App program{
      "Millwright: learn normal running, decide every stroke.\n"
      "Not a safety function in the sense of ISO 13849 or IEC 61508.\n"
      "Exit status: 0 done, 1 the answer is no, 2 wrong usage or input, 3 a fault outside.",
      "millwright"};
  program.set_version_flag("--version", "millwright " MILLWRIGHT_VERSION);
  program.require_subcommand(1);
  using namespace millwright::apps;
  const std::vector<Command> commands = {
      train_command(program),   score_command(program),   evaluate_command(program), inspect_command(program),
      bench_command(program),   demo_command(program),    quantize_command(program), prune_command(program),
      compare_command(program), compile_command(program), topology_command(program), listen_command(program),
      windows_command(program), tuf_command(program)};
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return program.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return stop(usage_problem(program, error, argc > 1 ? argv[1] : nullptr), 2);
  }
  try {
    return run_chosen(commands);
  } catch (const std::exception& error) {  // no room lets one out; a last resort is still one line
    return stop(fmt::format("it stopped at a fault of its own: {}", error.what()), 3);
  }
}
