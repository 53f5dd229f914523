// SPDX-License-Identifier: Apache-2.0
// What goes wrong around the agent of the soak: broker, network, hub, sensors, visitors, models.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/child_process.h"
#include "base/random.h"
#include "campaign/fault_proxy.h"
#include "campaign/soak_plant.h"
#include "campaign/soak_visitors.h"

namespace millwright::campaign {

// A real mosquitto with persistence at its defaults, on one port for all its lives.
class SoakBroker {
 public:
  SoakBroker(std::filesystem::path folder, uint16_t port) : folder_(std::move(folder)), port_(port) {}
  Status start();
  void stop(int signal);
  void signal(int number) const { process_->signal(number); }

 private:
  std::filesystem::path folder_;
  uint16_t port_;
  std::optional<ChildProcess> process_;
};

// Who stores alerts and confirms them: `millwright listen`.
class SoakHub {
 public:
  SoakHub(const SoakPlan& plan, uint16_t broker_port) : plan_(plan), port_(broker_port) {}
  Status start();
  void kill();
  [[nodiscard]] std::filesystem::path alerts() const { return plan_.folder / "alerts.jsonl"; }

 private:
  const SoakPlan& plan_;
  uint16_t port_;
  std::optional<ChildProcess> process_;
};

// One fault at a time: it begins, lasts, and is undone.
class SoakFaults {
 public:
  struct World {
    const SoakPlan& plan;
    SoakBroker& broker;
    SoakHub& hub;
    FaultProxy& network;
    SoakPlant& plant;
    const ChildProcess& agent;
    uint64_t seed;
  };
  explicit SoakFaults(const World& world) : world_(world), random_(world.seed) {}
  // The next of a shuffled round of all of them; an error where the world itself fails.
  Status begin();
  Status end();
  [[nodiscard]] const std::map<std::string, uint64_t>& counts() const { return counts_; }

 private:
  enum class Kind : uint8_t {
    kBrokerFrozen,
    kBrokerKilled,
    kBrokerRestarted,
    kNetworkCut,
    kHubKilled,
    kSensorFlat,
    kPacketsLost,
    kBabble,
    kModelSwap,
    kBadReload,
    kScraperHangs,
    kPageHangs,
    kVisitorsFlood,
    kCount
  };
  Status start_of(Kind kind);
  std::vector<Kind> round_;
  World world_;
  Random random_;
  Kind present_ = Kind::kCount;
  bool second_bundle_ = false;
  std::optional<BadVisitors> visitors_;
  std::map<std::string, uint64_t> counts_;
};

}  // namespace millwright::campaign
