// SPDX-License-Identifier: Apache-2.0
#include "campaign/agent_runs.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "base/child_process.h"
#include "base/free_port.h"
#include "base/random.h"
#include "campaign/udp_press.h"

namespace millwright::campaign {
namespace {

constexpr uint64_t kStrokesPerLife = 150;

void pause_ms(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void write_config(const AgentPlan& plan, uint16_t port) {
  std::ofstream(plan.folder / "agent.toml") << "[agent]\ndevice_id = \"box\"\nfactory_id = \"f\"\nline_id = \"l\"\n"
                                               "state = \"state\"\n[[asset]]\nid = \"press\"\ndeadline_ms = 100\n"
                                               "window = { length = 16, rate_hz = 10000.0 }\n"
                                               "trigger = { kind = \"external\" }\n"
                                               "source = { kind = \"udp\", port = "
                                            << port
                                            << " }\noutput = { kind = \"none\", on_no_verdict = \"hold\", "
                                               "on_start = \"stop\", on_death = \"stop\" }\n";
}

// Waits until this life of the agent has said that it runs.
bool wait_until_running(const std::filesystem::path& status, ChildProcess& agent) {
  constexpr int kTries = 2000;
  for (int i = 0; i < kTries && !agent.poll(); ++i) {
    if (std::filesystem::exists(status)) return true;
    pause_ms(5);
  }
  return false;
}

// Strokes before the first one that was watched are nobody's, so that one must be on record before the killing begins.
bool first_is_recorded(const std::filesystem::path& records, ChildProcess& agent) {
  constexpr int kTries = 4000;
  std::error_code ignored;
  for (int i = 0; i < kTries && !agent.poll(); ++i) {
    for (const auto& file : std::filesystem::directory_iterator(records, ignored)) {
      if (file.file_size(ignored) > 0) return true;
    }
    pause_ms(5);
  }
  return false;
}

}  // namespace

Result<AgentFigures> run_agents(const AgentPlan& plan) {
  std::filesystem::create_directories(plan.folder);
  const uint16_t port = MW_TRY(free_port(SOCK_DGRAM));
  write_config(plan, port);
  const auto records = plan.folder / "state" / "press" / "records";
  const auto status = plan.folder / "state" / "status.json";
  UdpPress converter(port);
  Random random(plan.seed);
  AgentFigures figures;
  while (converter.cycles() < plan.strokes) {
    std::filesystem::remove(status);
    auto agent = MW_TRY(ChildProcess::start({.argv = {plan.agent.string(), "--config", plan.folder / "agent.toml"},
                                             .out_file = plan.folder / "agent.log"}));
    if (!wait_until_running(status, agent)) {
      return fail(ErrorCode::kUnavailable, "{} does not run; see {}", plan.agent.string(),
                  (plan.folder / "agent.log").string());
    }
    if (converter.cycles() == 0) {
      converter.stroke();
      if (!first_is_recorded(records, agent)) {
        return fail(ErrorCode::kUnavailable, "{}: no record of the first stroke; see {}", plan.agent.string(),
                    (plan.folder / "agent.log").string());
      }
    }
    const uint64_t strokes = 1 + random.below(2 * kStrokesPerLife);
    for (uint64_t i = 0; i < strokes; ++i) {
      converter.stroke();
      if (random.below(20) == 0) pause_ms(1);
    }
    const bool last = converter.cycles() >= plan.strokes;
    const bool kill = !last && random.below(4) != 0;
    if (last) {
      // What the socket's buffer dropped shows at a stroke that does arrive.
      pause_ms(100);
      converter.stroke();
      pause_ms(500);
    }
    agent.signal(kill ? SIGKILL : SIGTERM);
    if (const int exit = agent.wait(); !kill && exit != 0) ++figures.bad_exits;
    figures.kills += kill ? 1 : 0;
    for (uint64_t i = random.below(5); i > 0 && !last; --i) converter.stroke();
  }
  figures.strokes = converter.cycles();
  figures.findings = MW_TRY(check_journal({.folder = records,
                                           .cycles = converter.cycles(),
                                           .deadline_ns = 100'000'000,
                                           .seed = plan.seed,
                                           .judged = false}));
  return figures;
}

}  // namespace millwright::campaign
