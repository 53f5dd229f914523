// SPDX-License-Identifier: Apache-2.0
// millwright-agent: flags and wiring. What it does is in src/edge.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "edge/agent.h"
#include "edge/event_log.h"
#include "inference/trial.h"
#include "model/json_fields.h"

namespace {

using millwright::edge::Agent;

constexpr int kDone = 0;
constexpr int kNo = 1;
constexpr int kWrongUsage = 2;

int check(const std::string& config, bool as_json) {
  const auto lines = millwright::edge::check_config(config);
  bool good = true;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& line : lines) {
    good = good && line.good;
    list.push_back({{"good", line.good}, {"what", line.what}, {"found", line.found}});
    if (as_json) continue;
    std::string found = line.found;
    for (size_t at = found.find('\n'); at != std::string::npos; at = found.find('\n', at + 1))
      found.insert(at + 1, "     ");
    std::printf("%s %s: %s\n", line.good ? "ok  " : "BAD ", line.what.c_str(), found.c_str());
  }
  if (as_json)
    std::printf("%s\n", millwright::model::json_line(nlohmann::json({{"good", good}, {"checks", list}})).c_str());
  // A file that cannot be read at all is wrong input; a check that failed is the answer "no".
  if (lines.size() == 1 && !good) return kWrongUsage;
  return good ? kDone : kNo;
}

// One line, or one for each problem of a configuration: for a person as long as nothing runs, an event once the log of
// events has begun.
int report(const millwright::Error& error, bool started) {
  if (started) {
    millwright::edge::log_event(millwright::edge::Level::kError, "cannot_go_on", {{"error", error.message}});
  } else {
    std::fprintf(stderr, "millwright-agent: %s\n", error.message.c_str());
  }
  return millwright::exit_status(error.code);
}

int run(const millwright::edge::AgentOptions& options) {
  const millwright::SystemClock clock;
  const auto agent = Agent::create(options, clock);
  if (!agent) return report(agent.error(), false);
  const auto status = (*agent)->run();
  return status ? kDone : report(status.error(), (*agent)->started());
}

}  // namespace

int main(int argc, char** argv) {
  millwright::inference::run_trial_child_if_asked(argc, argv);
  CLI::App app{"Watches machines, decides every stroke, keeps doing so. Not a safety function (ISO 13849, IEC 61508)."};
  millwright::edge::AgentOptions options;
  options.version = MILLWRIGHT_VERSION;
  bool only_check = false;
  bool as_json = false;
  app.add_option("--config", options.config, "the configuration, a TOML file")->required();
  app.add_flag("--check", only_check,
               "test the configuration and what it names, then end: 0 good, 1 not, 2 unreadable");
  app.add_flag("--fast", options.fast, "play recordings and simulated presses without waiting");
  app.add_flag("--json", as_json, "with --check: one JSON object");
  app.set_version_flag("--version", std::string("millwright-agent ") + MILLWRIGHT_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "millwright-agent: %s; see --help\n", error.what());
    return kWrongUsage;
  }
  try {
    if (only_check) return check(options.config.string(), as_json);
    Agent::block_signals();
    return run(options);
  } catch (const std::exception& error) {  // no room lets one out; a last resort is still one line
    std::fprintf(stderr, "millwright-agent: it stopped at a fault of its own: %s\n", error.what());
    return millwright::exit_status(millwright::ErrorCode::kUnavailable);
  }
}
