// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/files.h"
#include "campaign/soak_account.h"
#include "campaign/soak_faults.h"
#include "campaign/soak_watch.h"

namespace millwright::campaign {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kShortS = 1800.0;  // below it no slope of a process that still warms up means anything
constexpr double kSamples = 360.0;

double now_s() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void pause_until(double at_s) {
  while (now_s() < at_s) ::poll(nullptr, 0, static_cast<int>(std::clamp((at_s - now_s()) * 1e3, 1.0, 1e3)));
}

struct Watched {
  std::vector<Footprint> agent;
  std::vector<Footprint> control;
};

// The time itself: a fault in the middle of every minute (of a short run, every second), samples all along.
Result<Watched> endure(double duration_s, SoakFaults& faults, ChildProcess& agent, const LeakingProcess& control) {
  const double every_s = std::clamp(duration_s / 12.0, 1.0, 60.0);
  const double lasts_s = every_s / 4.0;
  const double start = now_s();
  double next_fault = every_s / 2.0;
  double fault_ends = -1.0;
  Watched watched;
  for (double t = 0.0; t < duration_s; t = now_s() - start) {
    if (agent.poll()) return fail(ErrorCode::kUnavailable, "the agent has ended");
    if (fault_ends >= 0.0 && t >= fault_ends) {
      MW_CHECK_OK(faults.end());
      fault_ends = -1.0;
    } else if (fault_ends < 0.0 && t >= next_fault) {
      MW_CHECK_OK(faults.begin());
      fault_ends = t + lasts_s;
      next_fault += every_s;
    }
    const double sample_s = duration_s / kSamples;
    if (t >= static_cast<double>(watched.agent.size()) * sample_s) {
      watched.agent.push_back(MW_TRY(footprint_of(agent.pid(), t)));
      watched.control.push_back(MW_TRY(footprint_of(control.pid(), t)));
      if (duration_s >= kShortS && watched.agent.size() % 30 == 0) {
        std::fprintf(stderr, "soak: %.0f of %.0f s, %.2f MB\n", t, duration_s,
                     watched.agent.back().resident_bytes / 1e6);
      }
    }
    pause_until(std::min(now_s() + 0.05, start + duration_s));
  }
  MW_CHECK_OK(faults.end());
  return watched;
}

nlohmann::ordered_json report(const CampaignOptions& options, const SoakAccount& account, const Watched& watched,
                              const SoakFaults& faults, bool ended_well) {
  const auto duration_s = static_cast<double>(options.trials);
  const double warm_up_s = duration_s / 6.0;
  const Growth growth = growth_of(watched.agent, warm_up_s);
  const Growth control = growth_of(watched.control, warm_up_s);
  const bool slope_judged = duration_s >= kShortS;
  const uint64_t leaks = (slope_judged && growth.memory_leaks() ? 1U : 0U) + (growth.descriptors_leak() ? 1U : 0U) +
                         (growth.threads_leak() ? 1U : 0U);
  const bool caught = control.memory_leaks() && control.descriptors_leak() && control.threads_leak();
  nlohmann::ordered_json line = {{"name", "soak"},
                                 {"trials", options.trials},
                                 {"failures", account.failures() + leaks + (ended_well ? 0U : 1U)},
                                 {"control_caught", caught},
                                 {"seed", options.seed},
                                 {"strokes", account.strokes},
                                 {"records", account.records},
                                 {"missing", account.missing},
                                 {"duplicates", account.duplicates},
                                 {"disorder", account.disorder},
                                 {"late_go", account.late_go},
                                 {"alerts", account.alerts},
                                 {"alerts_lost", account.alerts_lost},
                                 {"alerts_invented", account.alerts_invented},
                                 {"ended_well", ended_well},
                                 {"verdicts", account.verdicts},
                                 {"reasons", account.reasons},
                                 {"slope_judged", slope_judged}};
  line.update(growth.json());
  line["faults"] = faults.counts();
  line["control"] = control.json();
  return line;
}

}  // namespace

Result<nlohmann::ordered_json> run_soak(const CampaignOptions& options) {
  const auto duration_s = static_cast<double>(options.trials);
  // Before any thread: it is a copy of this process.
  const LeakingProcess control(duration_s / 12.0);
  SoakPlan plan = make_plan(options.agent.parent_path(), options.seed);
  MW_CHECK_OK(train_bundles(plan));
  const uint16_t broker_port = free_port(SOCK_STREAM);
  SoakBroker broker(plan.folder / "broker", broker_port);
  MW_CHECK_OK(broker.start());
  FaultProxy network(broker_port);
  plan.mqtt_port = network.port();
  SoakHub hub(plan, broker_port);
  MW_CHECK_OK(hub.start());
  auto agent = MW_TRY(ChildProcess::start(
      {.argv = {options.agent, "--config", write_agent_config(plan)}, .out_file = plan.folder / "agent.log"}));
  const auto judges = [&] {
    const std::string page = get(plan.http_port, "/metrics");
    return page.find("edge_strokes_total") != std::string::npos && status_of(plan).value("pid", 0) == agent.pid();
  };
  if (!eventually([&] { return judges() || agent.poll(); }) || agent.poll()) {
    return fail(ErrorCode::kUnavailable, "the agent does not run; see {}", (plan.folder / "agent.log").string());
  }
  SoakPlant plant(plan.udp_ports, options.seed);
  SoakFaults faults({plan, broker, hub, network, plant, agent, options.seed});
  Result<Watched> watched;
  nlohmann::ordered_json seen;
  {
    const Visitors visitors(plan.http_port, duration_s >= kShortS ? 1.0 : 10.0);
    watched = endure(duration_s, faults, agent, control);
    seen = {{"scrapes", visitors.scrapes.load()},
            {"scrapes_refused", visitors.scrapes_refused.load()},
            {"events", visitors.events.load()},
            {"page_connects", visitors.page_connects.load()},
            {"strokes_missing_shown", visitors.strokes_missing.load()}};
  }
  if (!watched) return std::unexpected(watched.error());
  plant.stop();
  const bool delivered = eventually([&] {
    const auto status = status_of(plan);
    const auto waiting = nlohmann::json::json_pointer("/uplink/outbox/alerts_waiting");
    return status.contains(waiting) && status[waiting] == 0;
  });
  ::poll(nullptr, 0, 2000);
  agent.signal(SIGTERM);
  const bool ended_well = agent.wait() == 0 && delivered && seen["strokes_missing_shown"] == 0;
  const SoakAccount account = MW_TRY(settle(plan, plant, hub.alerts()));
  auto line = report(options, account, *watched, faults, ended_well);
  line["visitors"] = seen;
  if (line["failures"] == 0 && line["control_caught"] == true) {
    std::filesystem::remove_all(plan.folder);
  } else {
    line["kept"] = plan.folder.string();
  }
  return line;
}

}  // namespace millwright::campaign
