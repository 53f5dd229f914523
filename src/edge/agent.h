// SPDX-License-Identifier: Apache-2.0
// The agent: all assets of one configuration, until their sources end or somebody says stop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "edge/asset.h"
#include "edge/config.h"
#include "edge/judges/judges.h"
#include "edge/monitor/monitor.h"
#include "edge/service/service.h"
#include "edge/updater/updates.h"
#include "edge/uplink/uplink.h"

namespace millwright::edge {

struct AgentOptions {
  std::filesystem::path config;
  bool fast = false;
  std::string version;
};

class Agent {
 public:
  // Reads the configuration, locks the state folder, opens every asset. Signals must be blocked before (see
  // block_signals), because threads are started here.
  static Result<std::unique_ptr<Agent>> create(const AgentOptions& options, const Clock& clock);
  ~Agent();

  // Runs until every source has ended or SIGTERM or SIGINT came; SIGHUP reloads the bundles, SIGUSR1 acknowledges all
  // alarms. An error where records could not be written.
  Status run();
  // Whether run() came as far as to watch.
  [[nodiscard]] bool started() const { return started_; }

  // In main(), before any thread.
  static void block_signals();

 private:
  Agent(const AgentOptions& options, Config config, const Clock& clock);
  Status open_updates();
  Status open_assets();
  void begin_updates();
  void reload();
  bool reload_asset(Asset& asset, const AssetConfig& wanted);
  bool handle_signal();
  [[nodiscard]] bool all_ended() const;
  void refresh_status();
  void write_status(std::string_view state);
  void add_pages();
  Status open_uplink();
  Status obey(const model::CommandMessage& command);
  [[nodiscard]] Asset* find(std::string_view asset_id) const;
  net::http::Response act(const net::http::Request& request);
  Status stop(int64_t deliver_ns);

  AgentOptions options_;
  Config config_;
  const Clock& clock_;
  Descriptor lock_;
  Descriptor signals_;
  Descriptor ended_;  // an asset's source has ended
  int64_t started_ns_ = 0;
  bool started_ = false;
  bool status_failed_ = false;
  uint64_t status_activity_ = 0;  // of all assets, when the status was written
  int64_t next_status_ns_ = 0;
  Monitor monitor_;
  Judges judges_;
  Service service_;
  std::unique_ptr<Uplink> uplink_;  // none without an mqtt section
  std::vector<std::unique_ptr<Asset>> assets_;
  std::unique_ptr<Updates> updates_;  // none without an updates section
};

// What `--check` found out, one line per thing tested.
struct CheckLine {
  bool good = false;
  std::string what;
  std::string found;
};
// Tests what can be tested without running: files, ports, bundles, clock, disk. Starts nothing, changes nothing.
std::vector<CheckLine> check_config(const std::filesystem::path& file);

// Takes the lock of a state folder, which it creates; kUnavailable where another agent has it.
Result<Descriptor> lock_state(const std::filesystem::path& state);

}  // namespace millwright::edge
