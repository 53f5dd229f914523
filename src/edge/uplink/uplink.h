// SPDX-License-Identifier: Apache-2.0
// The box's word to the fleet: outbox, feeder, MQTT client and the thread between them. Nothing here is on the stroke's
// path; whatever fails here is tried again, and what is stored waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "edge/config.h"
#include "edge/health/system_probe.h"
#include "edge/outbox/feeder.h"
#include "edge/outbox/outbox.h"
#include "edge/uplink/confirmation_watch.h"
#include "edge/uplink/refusals.h"
#include "edge/uplink/rising_total.h"
#include "edge/uplink/sender.h"
#include "metrics/registry.h"
#include "net/mqtt/client.h"

namespace millwright::edge {

class Uplink final : public net::mqtt::ClientEvents {
 public:
  struct Settings {
    const Config& config;  // with its mqtt section
    const Clock& clock;
    metrics::Registry& metrics;
    std::vector<FeedSource> sources;  // one per asset, in the order of the configuration
    // What the hub asks for; on the client's thread. The error is logged.
    std::function<Status(const model::CommandMessage&)> command;
  };
  // Opens the outbox; where the disk refuses, it is tried again later. An error only where the configuration can never
  // work.
  static Result<std::unique_ptr<Uplink>> create(Settings settings);
  ~Uplink() override;
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  // Any record writer: this stroke of asset `index` is in the journal. Never waits.
  void note(size_t index, uint64_t stroke_id) noexcept { feeder_.note(index, stroke_id); }
  Status start();
  // Feeds what is left and says offline; at most a few seconds. What was not sent waits for the next start.
  // With a broker, what waits has so long to arrive; the rest goes at the next start.
  void stop(int64_t deliver_ns);
  // Control thread, about once a second: the outbox's upkeep, and the box's health once a minute.
  void tick(const SystemFigures& system);

  // Control thread: the summary of an asset's features, as features_line() makes it.
  void add_features(std::string_view asset_id, std::string_view line);

  // For the status file.
  [[nodiscard]] nlohmann::json status();

  // --- ClientEvents, on the client's thread
  void on_connected() override;
  void on_subscribed(std::string_view filter, const Status& result) override;
  void on_disconnected(std::string_view why) override;
  void on_delivery(const net::mqtt::Delivery& delivery) override;
  void on_status_answered(uint8_t reason) override;
  void on_message(std::string_view topic, std::string_view payload, bool retained) override;

 private:
  [[nodiscard]] uint64_t waiting();
  Uplink(Settings settings, model::Topics topics);
  void make_series();
  void note_losses(int64_t now_ns);
  void note_answer(std::string_view topic, uint8_t reason);
  void note_confirmations(int64_t now_ns);
  void note_listeners();
  [[nodiscard]] SenderFigures sender_figures();
  [[nodiscard]] uint64_t dropped_since_start(const OutboxFigures& figures, Stream stream, DropReason reason);
  void read_certificate();
  void update_series();
  void run();
  net::mqtt::ClientOptions client_options();

  Settings settings_;
  const model::Topics topics_;
  const Clock& clock_;
  Outbox outbox_;
  Feeder feeder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Sender> sender_;  // guarded by mutex_
  std::unique_ptr<net::mqtt::Client> client_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::string logged_loss_;          // guarded by mutex_
  Refusals refusals_;                // guarded by mutex_
  Refusals poisoned_;                // guarded by mutex_: topics with a message that was refused for what it is
  ConfirmationWatch confirmations_;  // the control thread only
  std::string logged_store_;
  std::string logged_read_;
  std::mutex totals_mutex_;
  std::map<std::string, RisingTotal> totals_;  // guarded by totals_mutex_
  uint64_t given_up_ = 0;                      // messages and damaged places, as logged last
  bool nobody_listened_ = false;               // as logged
  int64_t next_loss_ns_ = 0;
  std::string last_command_;    // the client's thread only
  int64_t next_upkeep_ns_ = 0;  // the control thread only
  int64_t next_health_ns_ = 0;
  std::atomic<int64_t> certificate_ends_s_{0};  // since 1970-01-01 UTC; 0: there is none, or it cannot be read
};

// What `--check` says of the section: that the files fit, that the broker lets this box in, and what a setting risks.
struct UplinkCheck {
  bool good = false;
  std::string found;
};
// `agent_runs`: the broker is not asked, since it may take the look for the agent and put that out.
std::vector<UplinkCheck> check_uplink(const Config& config, bool agent_runs);

// Where the certificate names another than this device, what comes of it; nothing where it fits, there is none or it
// cannot be read.
std::optional<std::string> foreign_certificate(const Config& config);

}  // namespace millwright::edge
