// SPDX-License-Identifier: Apache-2.0
// One subcommand each: adds its flags to the program and says what runs when it is chosen.
#pragma once

#include <functional>

#include <CLI/App.hpp>

#include "base/error.h"

namespace millwright::apps {

// The exit status where the command could do its work: 0 done, 1 the answer is no.
using Run = std::function<Result<int>()>;

struct Command {
  CLI::App* app = nullptr;
  Run run;
};

Command train_command(CLI::App& program);
Command score_command(CLI::App& program);
Command evaluate_command(CLI::App& program);
Command inspect_command(CLI::App& program);
Command bench_command(CLI::App& program);
Command quantize_command(CLI::App& program);
Command prune_command(CLI::App& program);
Command compare_command(CLI::App& program);
Command compile_command(CLI::App& program);
Command topology_command(CLI::App& program);
Command demo_command(CLI::App& program);
Command listen_command(CLI::App& program);
Command windows_command(CLI::App& program);
Command tuf_command(CLI::App& program);

}  // namespace millwright::apps
