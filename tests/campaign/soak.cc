// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/files.h"
#include "campaign/soak_faults.h"
#include "campaign/soak_watch.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

using Seconds = std::chrono::duration<double>;
using Alert = std::pair<std::string, uint64_t>;  // asset, stroke

constexpr double kShortS = 1800.0;  // below it no slope of a process that still warms up means anything
constexpr double kSamples = 360.0;
constexpr int kPatienceS = 180;

double now_s() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void pause_until(double at_s) {
  while (now_s() < at_s) ::poll(nullptr, 0, static_cast<int>(std::clamp((at_s - now_s()) * 1e3, 1.0, 1e3)));
}

uint16_t free_port(int type) {
  const Descriptor probe(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  MW_CHECK(::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
               ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0,
           "loopback has a free port");
  return ntohs(address.sin_port);
}

// Records against strokes, alerts on record against alerts that somebody stored.
struct Account {
  uint64_t strokes = 0, records = 0, missing = 0, duplicates = 0, disorder = 0, late_go = 0;
  uint64_t alerts = 0, alerts_lost = 0, alerts_invented = 0;
  std::map<std::string, uint64_t> verdicts;
  std::map<std::string, uint64_t> reasons;
  [[nodiscard]] uint64_t failures() const {
    return missing + duplicates + disorder + late_go + alerts_lost + alerts_invented;
  }
};

// Whom an alert is owed for: a score at or above the threshold, and whatever begins or ends.
class OwedAlerts {
 public:
  bool owed(const model::StrokeRecord& record) {
    const bool knows_sensor =
        record.verdict != model::Verdict::kNoVerdict || record.reason == model::Reason::kSensorFault;
    const bool alarm_changed = std::exchange(alarm_, record.alarm_active) != record.alarm_active;
    const bool fault_changed = knows_sensor && std::exchange(fault_, record.sensor_fault) != record.sensor_fault;
    return record.is_alert || alarm_changed || fault_changed;
  }

 private:
  bool alarm_ = false;
  signal::SensorFault fault_ = signal::SensorFault::kNone;
};

Status read_records(const std::filesystem::path& folder, const std::string& asset, uint64_t cycles, Account& account,
                    std::set<Alert>& alerts) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<uint8_t> seen(cycles + 1, 0);
  uint64_t last_id = 0;
  OwedAlerts owed;
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (line.find_first_not_of('\0') == std::string::npos) continue;  // set aside for lines to come
      const auto record = MW_TRY_IN(file.string(), model::parse_json_line(line));
      ++account.records;
      if (record.stroke_id != std::exchange(last_id, record.stroke_id) + 1) ++account.disorder;
      ++account.verdicts[std::string(model::name(record.verdict))];
      ++account.reasons[std::string(model::name(record.reason))];
      if (record.verdict != model::Verdict::kNoVerdict && record.latency_ns > kSoakDeadlineMs * 1'000'000) {
        ++account.late_go;
      }
      if (owed.owed(record)) alerts.insert({asset, record.stroke_id});
      if (record.plc_cycle == 0 || record.plc_cycle > cycles) {
        ++account.disorder;
      } else if (seen[record.plc_cycle] < 2) {
        ++seen[record.plc_cycle];
      }
    }
  }
  account.strokes += cycles;
  account.missing += static_cast<uint64_t>(std::count(seen.begin() + 1, seen.end(), 0));
  account.duplicates += static_cast<uint64_t>(std::count(seen.begin() + 1, seen.end(), 2));
  return {};
}

Result<Account> settle(const SoakPlan& plan, const SoakPlant& plant, const std::filesystem::path& stored) {
  Account account;
  std::set<Alert> alerts;
  for (size_t i = 0; i < kSoakAssets; ++i) {
    const auto folder = plan.folder / "state" / soak_asset(i) / "records";
    MW_CHECK_OK(read_records(folder, soak_asset(i), plant.cycles(i), account, alerts));
  }
  std::set<Alert> kept;
  std::ifstream in(stored);
  for (std::string line; std::getline(in, line);) {
    const auto one = nlohmann::json::parse(line, nullptr, false);
    if (one.is_object()) kept.insert({one.value("asset_id", ""), one.value("stroke_id", uint64_t{0})});
  }
  account.alerts = alerts.size();
  for (const Alert& one : alerts) account.alerts_lost += kept.contains(one) ? 0 : 1;
  for (const Alert& one : kept) account.alerts_invented += alerts.contains(one) ? 0 : 1;
  return account;
}

nlohmann::json status_of(const SoakPlan& plan) {
  const auto text = read_text_file(plan.folder / "state" / "status.json", 1 << 20);
  const auto status = nlohmann::json::parse(text.value_or(""), nullptr, false);
  return status.is_object() ? status : nlohmann::json::object();
}

bool eventually(const std::function<bool()>& done) {
  for (const double end = now_s() + kPatienceS; !done();) {
    if (now_s() > end) return false;
    ::poll(nullptr, 0, 100);
  }
  return true;
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

nlohmann::ordered_json report(const CampaignOptions& options, const Account& account, const Watched& watched,
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

SoakPlan make_plan(const CampaignOptions& options) {
  std::string name = (std::filesystem::temp_directory_path() / "millwright-campaign-XXXXXX").string();
  MW_CHECK(::mkdtemp(name.data()) != nullptr, "a campaign needs a folder");
  SoakPlan plan{.folder = name, .programs = options.agent.parent_path(), .seed = options.seed};
  plan.http_port = free_port(SOCK_STREAM);
  for (size_t i = 0; i < kSoakAssets; ++i) plan.udp_ports.push_back(free_port(SOCK_DGRAM));
  return plan;
}

}  // namespace

Result<nlohmann::ordered_json> run_soak(const CampaignOptions& options) {
  const auto duration_s = static_cast<double>(options.trials);
  // Before any thread: it is a copy of this process.
  const LeakingProcess control(duration_s / 12.0);
  SoakPlan plan = make_plan(options);
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
  const Account account = MW_TRY(settle(plan, plant, hub.alerts()));
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
