// SPDX-License-Identifier: Apache-2.0
#include "edge/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "edge/event_log.h"
#include "edge/judges/bundle_judge.h"
#include "model/json_fields.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr int kTickMs = 1000;
constexpr int64_t kRestingStatusNs = 5'000'000'000;
constexpr int64_t kPatienceMs = 10'000;
// A source that ended by itself is in no hurry: its last verdicts may reach the broker.
constexpr int64_t kDeliverNs = 20'000'000'000;
constexpr double kNanosPerSecond = 1e9;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

// Whole or not at all for whoever reads it, but not synced: a status is stale after a power cut anyway, and a sync each
// second wears a flash card.
Status replace_file(const std::filesystem::path& path, std::string_view text) {
  const std::string temporary = path.string() + ".new";
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  const bool written =
      file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(ErrorCode::kIo, "{}: cannot write: {}", path.string(), std::strerror(errno));
  }
  return {};
}

}  // namespace

Result<Descriptor> lock_state(const std::filesystem::path& state) {
  std::error_code error;
  std::filesystem::create_directories(state, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the state folder: {}", state.string(), error.message());
  const auto path = state / "lock";
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return fail(ErrorCode::kIo, "{}: cannot open: {}", path.string(), std::strerror(errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, "{}: another agent works with this state folder", path.string());
  }
  return lock;
}

void Agent::block_signals() {
  const sigset_t set = handled_signals();
  MW_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals can always be blocked");
}

Agent::Agent(const AgentOptions& options, Config config, const Clock& clock)
    : options_(options),
      config_(std::move(config)),
      clock_(clock),
      monitor_(config_, clock),
      judges_(config_, clock, monitor_.registry()),
      service_(take_service_environment(), config_.assets.size()) {
  const sigset_t set = handled_signals();
  signals_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  ended_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  MW_CHECK(signals_.valid() && ended_.valid(), "descriptors for signals and events are always to be had");
}

Agent::~Agent() {
  monitor_.close();
  assets_.clear();  // their writers tell the uplink what is durable
  uplink_.reset();
}

Result<std::unique_ptr<Agent>> Agent::create(const AgentOptions& options, const Clock& clock) {
  // Apart: a return from within a new-expression would lose what it had allocated.
  Config config = MW_TRY(load_config(options.config));
  std::unique_ptr<Agent> agent(new Agent(options, std::move(config), clock));
  // A bundle that cannot be read and a port that is in use are refused before anything is written.
  for (const AssetConfig& asset : agent->config_.assets) {
    if (!asset.bundle.empty()) (void)MW_TRY(bundle_of(asset));
    if (std::holds_alternative<UdpSourceConfig>(asset.source)) {
      (void)MW_TRY_IN(fmt::format("asset '{}'", asset.id), make_source(asset, options.fast, clock));
    }
  }
  agent->lock_ = MW_TRY(lock_state(agent->config_.state));
  MW_CHECK_OK(agent->open_updates());
  MW_CHECK_OK(agent->open_assets());
  return agent;
}

Status Agent::open_assets() {
  for (const AssetConfig& asset : config_.assets) {
    const auto on_end = [fd = ended_.get()] {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t n = ::write(fd, &one, sizeof(one));
    };
    assets_.push_back(MW_TRY(Asset::create(
        {.config = config_,
         .asset = asset,
         .clock = clock_,
         .fast = options_.fast,
         .on_end = on_end,
         .metrics = monitor_.registry(),
         .show = [this](std::string_view id, std::string_view text) { monitor_.publish("asset", text, id); },
         .durable =
             [this, index = assets_.size()](uint64_t stroke_id) {
               if (uplink_) uplink_->note(index, stroke_id);
             },
         .pulse = &service_.pulse(assets_.size()),
         .features = [this](auto id, auto line) { return uplink_ ? uplink_->add_features(id, line) : void(); }})));
  }
  monitor_.registry().before_scrape([this] {
    for (const auto& asset : assets_) asset->update_metrics();
  });
  add_pages();
  return open_uplink();
}

Status Agent::open_uplink() {
  if (!config_.mqtt) return {};
  std::vector<FeedSource> sources;
  sources.reserve(assets_.size());
  for (const auto& asset : assets_) {
    sources.push_back({.asset = asset->id(),
                       .records = config_.state / asset->id() / "records",
                       .durable_id = asset->journal_start()});
  }
  uplink_ = MW_TRY(Uplink::create({.config = config_,
                                   .clock = clock_,
                                   .metrics = monitor_.registry(),
                                   .sources = std::move(sources),
                                   .command = [this](const model::CommandMessage& command) { return obey(command); }}));
  return {};
}

Asset* Agent::find(std::string_view asset_id) const {
  const auto found =
      std::ranges::find(assets_, asset_id, [](const auto& asset) { return std::string_view(asset->id()); });
  return found == assets_.end() ? nullptr : found->get();
}

Status Agent::run() {
  started_ns_ = clock_.monotonic_ns();
  MW_CHECK_OK(judges_.load_all(assets_, false));
  started_ = true;
  log_event(Level::kInfo, "started",
            {{"version", options_.version}, {"device_id", config_.device_id}, {"assets", assets_.size()}});
  if (uplink_) MW_CHECK_OK(uplink_->start());
  for (const auto& asset : assets_) asset->start();
  MW_CHECK_OK(judges_.load_all(assets_, true));
  begin_updates();
  service_.ready();
  int64_t next_tick = 0;
  while (!all_ended()) {
    if (clock_.monotonic_ns() >= next_tick) {
      for (const auto& asset : assets_) asset->tick();
      judges_.tick(assets_);
      if (updates_) updates_->tick();
      monitor_.tick();
      if (uplink_) uplink_->tick(monitor_.system());
      refresh_status();
      service_.tick(assets_);
      next_tick = clock_.monotonic_ns() + int64_t{kTickMs} * 1'000'000;
    }
    std::array<pollfd, 2> fds{
        {{.fd = signals_.get(), .events = POLLIN, .revents = 0}, {.fd = ended_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), kTickMs);
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(ended_.get(), &count, sizeof(count));
    if (handle_signal()) break;
  }
  return stop(all_ended() ? kDeliverNs : 0);
}

// True: somebody said stop.
bool Agent::handle_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    switch (info.ssi_signo) {
      case SIGHUP: reload(); break;
      case SIGUSR1:
        for (const auto& asset : assets_) asset->acknowledge();
        log_event(Level::kInfo, "alarms_acknowledged", json::object());
        break;
      default: return true;
    }
  }
  return false;
}

bool Agent::all_ended() const {
  return std::all_of(assets_.begin(), assets_.end(), [](const auto& asset) { return asset->ended(); });
}

// Takes over the bundles of the configuration as it is now, and nothing else: windows, sources and outputs are cut,
// opened and driven as they were at the start, so a bundle must fit those. A file with a mistake changes nothing.
void Agent::reload() {
  const Service::Reloading told(service_, clock_);
  const auto wanted = load_config(options_.config);
  if (!wanted) {
    log_event(Level::kError, "reload_refused", {{"error", wanted.error().message}});
    return;
  }
  if (const auto differ = restart_settings(config_, *wanted); !differ.empty()) {
    log_event(Level::kWarning, "reload_needs_restart", {{"settings", differ}});
  }
  std::vector<std::string> refused;
  for (const AssetConfig& config : wanted->assets) {
    if (Asset* const asset = find(config.id); asset != nullptr && !reload_asset(*asset, config)) {
      refused.push_back(config.id);
    }
  }
  if (!refused.empty()) {
    log_event(Level::kWarning, "reloaded_in_part", {{"config", options_.config.string()}, {"model_refused", refused}});
    return;
  }
  log_event(Level::kInfo, "reloaded", {{"config", options_.config.string()}});
}

// False: its bundle was refused, and the one before goes on.
bool Agent::reload_asset(Asset& asset, const AssetConfig& wanted) {
  if (const auto differ = restart_settings(asset.config(), wanted); !differ.empty()) {
    log_event(Level::kWarning, "reload_needs_restart", {{"asset_id", asset.id()}, {"settings", differ}});
  }
  // What came by update serves until another does.
  const auto updated = updates_ ? updates_->serving(asset.id()) : std::filesystem::path();
  const auto& bundle = updated.empty() ? wanted.bundle : updated;
  return bundle.empty() || judges_.reload(asset, bundle);
}

// While a machine stands still there is nothing to tell, and a file made anew each second costs an idle box more than
// all else it does.
void Agent::refresh_status() {
  uint64_t activity = 0;
  for (const auto& asset : assets_) activity += asset->activity();
  const int64_t now_ns = clock_.monotonic_ns();
  if (activity == status_activity_ && now_ns < next_status_ns_) return;
  status_activity_ = activity;
  next_status_ns_ = now_ns + kRestingStatusNs;
  write_status("running");
}

void Agent::write_status(std::string_view state) {
  json assets = json::array();
  for (const auto& asset : assets_) {
    assets.push_back(asset->status());
    assets.back()["providers"] = judges_.status(asset->id());
    if (updates_) assets.back()["update"] = updates_->status(asset->id());
  }
  json status = {{"timestamp", format_utc(clock_.wall_ns())},
                 {"state", state},
                 {"device_id", config_.device_id},
                 {"factory_id", config_.factory_id},
                 {"line_id", config_.line_id},
                 {"version", options_.version},
                 {"pid", ::getpid()},
                 {"uptime_s", static_cast<double>(clock_.monotonic_ns() - started_ns_) / kNanosPerSecond},
                 {"assets", assets}};
  if (uplink_) {
    status["uplink"] = uplink_->status();
    monitor_.publish("uplink", model::json_line(status["uplink"]), "");
  }
  const Status written =
      replace_file(config_.status, status.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  if (!written && !status_failed_) log_event(Level::kError, "status_not_written", {{"error", written.error().message}});
  status_failed_ = !written;
}

// `deliver_ns`: how long what waits for the broker may take. Somebody who says stop is not kept waiting for it.
Status Agent::stop(int64_t deliver_ns) {
  service_.stopping();
  Status result;
  for (const auto& asset : assets_) {
    if (const Status finished = asset->finish(kPatienceMs); !finished) {
      log_event(Level::kError, "records_left", {{"asset_id", asset->id()}, {"error", finished.error().message}});
      result = finished;
    }
  }
  updates_.reset();  // a server that hangs keeps nobody
  if (uplink_) uplink_->stop(deliver_ns);
  monitor_.close();
  write_status("stopped");
  log_event(Level::kInfo, "stopped", json::object());
  return result;
}

}  // namespace millwright::edge
