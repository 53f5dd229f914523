// SPDX-License-Identifier: Apache-2.0
#include "campaign/disk_fault.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/child_process.h"
#include "base/files.h"
#include "campaign/failing_disk.h"
#include "campaign/soak_account.h"
#include "campaign/soak_faults.h"

namespace millwright::campaign {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr uint64_t kDiskBytes = 112 << 20;
constexpr double kRecoverS = 60.0;  // what is demanded
constexpr uint64_t kLongTrials = 20;

bool is_long_form(const CampaignOptions& options) { return options.trials >= kLongTrials; }

double now_s() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }
void pause_s(double s) { ::poll(nullptr, 0, static_cast<int>(s * 1e3)); }

// The sum over all series of a family whose labels hold `label`.
double sum_of(const std::string& page, const std::string& family, std::string_view label = {}) {
  double sum = 0.0;
  for (size_t at = page.find("\n" + family + "{"); at != std::string::npos;
       at = page.find("\n" + family + "{", at + 1)) {
    const size_t end = page.find('\n', at + 1);
    const std::string_view line = std::string_view(page).substr(at, end - at);
    if (line.find(label) != std::string_view::npos) sum += std::strtod(line.data() + line.rfind(' '), nullptr);
  }
  return sum;
}

struct Phase {
  uint64_t count = 0;
  uint64_t silent = 0;    // no verdict while it lasted, of those of kTellingS and more
  uint64_t unnamed = 0;   // the log does not name the cause
  uint64_t unmended = 0;  // not back within kRecoverS
  double misses = 0.0;    // deadlines
  double verdicts = 0.0;  // while it lasted
  double longest_recovery_s = 0.0;
  // Deadlines are judged in the long form only, on a machine that has nothing else to do: a shared one halts whole
  // processes for longer than a deadline, and its disk faults are not to blame.
  [[nodiscard]] uint64_t failures(bool is_long) const {
    return silent + unnamed + unmended + (is_long ? static_cast<uint64_t>(misses) : 0U);
  }
  [[nodiscard]] nlohmann::ordered_json json() const {
    return {{"count", count},
            {"without_verdicts", silent},
            {"cause_not_named", unnamed},
            {"not_recovered", unmended},
            {"deadline_misses", misses},
            {"verdicts_meanwhile", verdicts},
            {"longest_recovery_s", longest_recovery_s}};
  }
};

// A shared machine stands still for tenths of a second whatever the disk does: a shorter fault proves no silence.
constexpr double kTellingS = 0.5;

struct Cause {
  std::function<Status(bool)> set;
  int error = 0;
};

class Watch {
 public:
  Watch(const SoakPlan& plan, SoakPlant& plant) : plan_(plan), plant_(plant) {}

  // Everything decided is in the journal, everything in the journal is in the outbox, and that is open.
  [[nodiscard]] bool in_order() const {
    const std::string page = get(plan_.http_port, "/metrics");
    return sum_of(page, "edge_outbox_open") == 1.0 &&
           sum_of(page, "edge_records_pending") <= kSoakStrokesPerSecond / 2 &&
           sum_of(page, "edge_outbox_messages", "stream=\"alerts\"") <= kSoakStrokesPerSecond / 4;
  }

  Status suffer(const Cause& cause, double lasts_s, Phase& phase, const std::function<void()>& meanwhile = {}) {
    ++phase.count;
    const std::string before = get(plan_.http_port, "/metrics");
    const size_t said = log().size();
    MW_CHECK_OK(cause.set(true));
    for (const double end = now_s() + lasts_s; now_s() < end;) {
      pause_s(std::min(1.0, std::max(0.01, end - now_s())));
      if (meanwhile) meanwhile();
    }
    const std::string after = get(plan_.http_port, "/metrics");
    MW_CHECK_OK(cause.set(false));
    const double ended = now_s();
    phase.verdicts += judged(after) - judged(before);
    if (lasts_s >= kTellingS && judged(after) <= judged(before)) ++phase.silent;
    if (!eventually([this] { return in_order(); }, kRecoverS)) ++phase.unmended;
    phase.longest_recovery_s = std::max(phase.longest_recovery_s, now_s() - ended);
    phase.misses += misses(get(plan_.http_port, "/metrics")) - misses(before);
    // The log is written once a second.
    if (!eventually([&] { return named(said, cause.error); }, 5.0)) ++phase.unnamed;
    // And says once that it is over, before the next one begins.
    if (!eventually([&] { return over(said); }, 5.0)) ++phase.unnamed;
    return {};
  }

  [[nodiscard]] bool named(size_t from, int error) const {
    const std::string text = log();
    return text.find(std::strerror(error), std::min(from, text.size())) != std::string::npos;
  }
  [[nodiscard]] bool over(size_t from) const {
    const std::string text = log();
    size_t began = 0;
    size_t ended = 0;
    for (size_t at = from; (at = text.find("\"records_not_written\"", at)) != std::string::npos; ++at) ++began;
    for (size_t at = from; (at = text.find("\"records_written_again\"", at)) != std::string::npos; ++at) ++ended;
    return ended >= began;
  }
  [[nodiscard]] std::string log() const {
    return read_text_file(plan_.folder / "agent.log", 64 << 20).value_or(std::string());
  }

 private:
  static double judged(const std::string& page) {
    return sum_of(page, "edge_verdicts_total", "\"GO\"") + sum_of(page, "edge_verdicts_total", "\"NO_GO\"");
  }
  static double misses(const std::string& page) { return sum_of(page, "edge_deadline_misses_total"); }

  const SoakPlan& plan_;
  SoakPlant& plant_;
};

// The journal gives up its oldest files on a full disk: a copy of what it had, for the account.
void keep_records(const SoakPlan& plan) {
  std::error_code ignored;
  std::filesystem::create_directories(plan.folder / "kept", ignored);
  for (size_t i = 0; i < kSoakAssets; ++i) {
    std::filesystem::copy(plan.folder / "state" / soak_asset(i) / "records", plan.folder / "kept" / soak_asset(i),
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing,
                          ignored);
  }
}

void bring_back_records(const SoakPlan& plan) {
  std::error_code ignored;
  for (size_t i = 0; i < kSoakAssets; ++i) {
    std::filesystem::copy(plan.folder / "kept" / soak_asset(i), plan.folder / "state" / soak_asset(i) / "records",
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::skip_existing,
                          ignored);
  }
}

struct Controls {
  bool unmended = false;  // a fault that stays
  bool unnamed = false;   // a fault that is none
  bool lost = false;      // a hub that has forgotten one alert
  [[nodiscard]] bool caught() const { return unmended && unnamed && lost; }
};

class Campaign {
 public:
  Campaign(const CampaignOptions& options, SoakPlan& plan, SoakPlant& plant, ChildProcess& agent, bool real_disk)
      : options_(options), plan_(plan), agent_(agent), real_disk_(real_disk), watch_(plan, plant) {}

  Status run() {
    Random random(options_.seed);
    const bool is_long = is_long_form(options_);
    const auto& faults = disk_faults();
    for (uint64_t i = 0; i < options_.trials; ++i) {
      MW_CHECK_OK(watch_.suffer(cause(faults[0]), random.uniform(0.1, 1.0), phases["sync_fails_briefly"]));
      keep_records(plan_);  // in a long run the journal gives up files as it should
      if (is_long && (i + 1) % kLongTrials == 0) {
        std::fprintf(stderr, "disk-fault: %lu of %lu failed syncs\n", static_cast<unsigned long>(i + 1),
                     static_cast<unsigned long>(options_.trials));
      }
    }
    for (const DiskFault& fault : faults) {
      MW_CHECK_OK(watch_.suffer(cause(fault), is_long ? 25.0 : 3.0, phases[fault.name]));
    }
    if (real_disk_) {
      const auto state = plan_.folder / "state";
      const Cause full{.set =
                           [state](bool on) {
                             if (on) return SmallDisk::fill(state);
                             SmallDisk::free(state);
                             return Status();
                           },
                       .error = ENOSPC};
      keep_records(plan_);
      MW_CHECK_OK(watch_.suffer(full, is_long ? 120.0 : 8.0, phases["really_full"], [this] { keep_records(plan_); }));
    }
    return control();
  }

  std::map<std::string, Phase> phases;
  Controls controls;

 private:
  [[nodiscard]] Cause cause(const DiskFault& fault) const {
    return {.set = [this, &fault](bool on) { return set_fault(plan_.folder, agent_.pid(), fault, on); },
            .error = fault.error};
  }

  Status control() {
    constexpr double kStaysS = 3.0;
    const Cause stays = cause(disk_faults()[0]);
    MW_CHECK_OK(stays.set(true));
    pause_s(kStaysS);
    controls.unmended = !eventually([this] { return watch_.in_order(); }, kStaysS);
    MW_CHECK_OK(stays.set(false));
    if (!eventually([this] { return watch_.in_order(); }, kRecoverS)) return fail(ErrorCode::kTimedOut, "control");
    pause_s(2.0);
    const size_t said = watch_.log().size();
    pause_s(2.0);
    controls.unnamed = !watch_.named(said, EIO);
    return {};
  }

  CampaignOptions options_;
  SoakPlan& plan_;
  ChildProcess& agent_;
  bool real_disk_;
  Watch watch_;
};

// A hub that lost the line of one alert.
Result<bool> forgotten_is_found(const SoakPlan& plan, const SoakPlant& plant, const std::filesystem::path& stored) {
  std::ifstream in(stored);
  const auto shorter = plan.folder / "shorter.jsonl";
  std::ofstream out(shorter);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) out << line << '\n';
  out.close();
  return MW_TRY(settle(plan, plant, shorter)).alerts_lost > 0;
}

nlohmann::ordered_json report(const CampaignOptions& options, const Campaign& campaign, const SoakAccount& account,
                              bool ended_well, const std::string& skipped) {
  uint64_t failures = account.failures() + (ended_well ? 0U : 1U);
  nlohmann::ordered_json phases;
  for (const auto& [name, phase] : campaign.phases) {
    failures += phase.failures(is_long_form(options));
    phases[name] = phase.json();
  }
  return {{"name", "disk-fault"},
          {"trials", options.trials},
          {"failures", failures},
          {"control_caught", campaign.controls.caught()},
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
          {"reasons", account.reasons},
          {"faults", phases},
          {"controls",
           {{"staying_fault_seen", campaign.controls.unmended},
            {"no_fault_no_name", campaign.controls.unnamed},
            {"forgotten_alert_found", campaign.controls.lost}}},
          {"skipped", skipped}};
}

}  // namespace

Result<nlohmann::ordered_json> run_disk_fault(const CampaignOptions& options) {
  SoakPlan plan = make_plan(options.agent.parent_path(), options.seed);
  auto command = fiu_wrapper(plan.folder);
  if (command.empty()) return fail(ErrorCode::kUnavailable, "no libfiu; run tools/setup.sh --test");
  std::string skipped;
  if (const Status own = SmallDisk::mount(plan.folder / "disk", plan.folder / "state", kDiskBytes); !own) {
    skipped = "a disk that is really full: " + own.error().message;
    std::fprintf(stderr, "disk-fault: SKIPPED %s\n", skipped.c_str());
  }
  plan.more = "records = { max_file_bytes = 65536 }\n";
  MW_CHECK_OK(train_bundles(plan));
  plan.mqtt_port = free_port(SOCK_STREAM);
  SoakBroker broker(plan.folder / "broker", plan.mqtt_port);
  MW_CHECK_OK(broker.start());
  SoakHub hub(plan, plan.mqtt_port);
  MW_CHECK_OK(hub.start());
  for (const std::string& argument :
       {options.agent.string(), std::string("--config"), write_agent_config(plan).string()}) {
    command.push_back(argument);
  }
  auto agent = MW_TRY(ChildProcess::start({.argv = command, .out_file = plan.folder / "agent.log"}));
  const auto runs = [&] {
    return get(plan.http_port, "/metrics").find("edge_strokes_total") != std::string::npos &&
           status_of(plan).value("pid", 0) == agent.pid();
  };
  if (!eventually([&] { return runs() || agent.poll(); }) || agent.poll()) {
    return fail(ErrorCode::kUnavailable, "the agent does not run; see {}", (plan.folder / "agent.log").string());
  }
  SoakPlant plant(plan.udp_ports, options.seed);
  Campaign campaign(options, plan, plant, agent, skipped.empty());
  pause_s(2.0);
  MW_CHECK_OK(campaign.run());
  plant.stop();
  const bool delivered = eventually([&] {
    const std::string page = get(plan.http_port, "/metrics");
    return sum_of(page, "edge_outbox_messages", "stream=\"alerts\"") == 0.0 &&
           sum_of(page, "edge_records_pending") == 0.0;
  });
  pause_s(2.0);
  // To its first thread: libfiu's own takes signals that the agent has blocked in all of its threads.
  ::syscall(SYS_tgkill, agent.pid(), agent.pid(), SIGTERM);
  const bool ended_well = agent.wait() == 0 && delivered;
  bring_back_records(plan);
  const SoakAccount account = MW_TRY(settle(plan, plant, hub.alerts()));
  campaign.controls.lost = MW_TRY(forgotten_is_found(plan, plant, hub.alerts()));
  auto line = report(options, campaign, account, ended_well, skipped);
  if (skipped.empty() && (line["failures"] != 0 || line["control_caught"] != true)) {
    // What is on the disk goes with it.
    std::error_code ignored;
    std::filesystem::copy(plan.folder / "state", plan.folder / "disk_state", std::filesystem::copy_options::recursive,
                          ignored);
  }
  if (skipped.empty()) SmallDisk::unmount(plan.folder / "state");
  if (line["failures"] == 0 && line["control_caught"] == true) {
    std::filesystem::remove_all(plan.folder);
  } else {
    line["kept"] = plan.folder.string();
  }
  return line;
}

}  // namespace millwright::campaign
