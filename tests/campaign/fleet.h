// SPDX-License-Identifier: Apache-2.0
// One real box that speaks to the fleet, somebody who plays the hub, and the account between them: what the journal
// says was decided against what the hub has stored.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/child_process.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/random.h"
#include "campaign/udp_press.h"
#include "net/mqtt/fleet_subscriber.h"

namespace millwright::campaign {

// A durable subscriber: its session outlives its connection as long as the broker does, an alert is on disk before it
// is acknowledged, and a message that came before under the same (device, boot id, sequence) is not stored again.
class Hub final : private net::mqtt::FleetEvents {
 public:
  // With `deaf_every`, each so many-th message is acknowledged and forgotten: for controls.
  Hub(uint16_t port, const std::filesystem::path& folder, uint64_t deaf_every = 0);
  ~Hub() override { stop(); }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  void start();  // where it does not run
  void stop();   // the broker keeps its place
  [[nodiscard]] bool listening() const { return subscriber_ && subscriber_->listening(); }

  struct Stored {
    uint64_t times = 0;                                   // under different identities
    std::set<std::pair<std::string, uint64_t>> identity;  // boot id, sequence
    std::string record;                                   // the payload without what the way added
    int64_t first_ns = 0;                                 // monotonic
    bool historical = false;                              // the first
  };
  using Strokes = std::map<uint64_t, Stored>;
  [[nodiscard]] Strokes alerts() const { return copy(alerts_); }
  [[nodiscard]] Strokes scores() const { return copy(scores_); }
  [[nodiscard]] uint64_t alerts_heard() const { return size(alerts_); }
  [[nodiscard]] uint64_t scores_heard() const { return size(scores_); }
  [[nodiscard]] uint64_t repeats() const { return repeats_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }  // messages that are none

 private:
  bool on_alert(const model::StrokeMessage& message, std::string_view payload) override;
  void on_score(const model::StrokeMessage& message, std::string_view payload) override;
  void on_refused(std::string_view, const Error&) override { ++refused_; }
  bool forgets() { return deaf_every_ != 0 && ++taken_ % deaf_every_ == 0; }
  bool note(Strokes& strokes, const model::StrokeMessage& message, std::string_view payload);
  [[nodiscard]] Strokes copy(const Strokes& strokes) const {
    const std::lock_guard lock(mutex_);
    return strokes;
  }
  [[nodiscard]] uint64_t size(const Strokes& strokes) const {
    const std::lock_guard lock(mutex_);
    return strokes.size();
  }

  uint16_t port_;
  uint64_t deaf_every_;
  uint64_t taken_ = 0;  // on the reader's thread
  Descriptor store_;
  mutable std::mutex mutex_;
  Strokes alerts_;
  Strokes scores_;
  std::atomic<uint64_t> repeats_{0};
  std::atomic<uint64_t> refused_{0};
  std::unique_ptr<net::mqtt::FleetSubscriber> subscriber_;
};

struct BoxPlan {
  std::filesystem::path folder;
  std::filesystem::path agent;  // the program
  uint16_t broker_port = 0;
  std::string device_id = "box";
  std::string alerts_leave_on = "hub";
  double strokes_per_s = 15.0;
  uint64_t seed = 1;
};

// A real agent, and a press that goes on whatever happens; the sensor fails now and then, so that there are alerts.
class Box {
 public:
  // Running, its first stroke on record.
  static Result<std::unique_ptr<Box>> start(const BoxPlan& plan);
  ~Box();

  // What the agent last wrote down about its uplink; null: nothing yet.
  [[nodiscard]] nlohmann::json uplink() const;
  [[nodiscard]] bool connected() const;
  [[nodiscard]] uint64_t resident_bytes() const;
  [[nodiscard]] bool alive() { return !agent_->poll().has_value(); }
  // No more strokes.
  void halt();
  // SIGTERM; its exit status.
  int end();
  // SIGKILL; the press goes on.
  void kill();
  // After kill(): the same program on what is left on disk.
  Status begin_again();
  [[nodiscard]] std::filesystem::path records() const { return plan_.folder / "state" / "press" / "records"; }

 private:
  explicit Box(BoxPlan plan) : plan_(std::move(plan)) {}
  void press(uint16_t port);

  BoxPlan plan_;
  std::optional<ChildProcess> agent_;
  std::atomic<bool> halted_{false};
  std::thread press_;
};

struct Account {
  uint64_t strokes = 0;  // in the journal, each is a score
  uint64_t alerts = 0;   // among them, by the rule that FORMAT.md states, worked out here from the journal
  uint64_t scores_lost = 0;
  uint64_t alerts_lost = 0;
  uint64_t duplicates = 0;  // one stroke stored twice, under two identities
  uint64_t strange = 0;     // stored and not what the journal says, or not in it at all
  std::vector<uint64_t> lost_scores;
};

// `decided`: the lines of the journal by stroke.
Result<std::map<uint64_t, std::string>> read_records(const std::filesystem::path& folder);
Account settle(const std::map<uint64_t, std::string>& decided, const Hub& hub);

// Looks every few milliseconds until `done`, at most `patience_s`.
bool wait_until(double patience_s, const std::function<bool()>& done);
void pause_ms(uint64_t ms);

}  // namespace millwright::campaign
