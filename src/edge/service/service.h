// SPDX-License-Identifier: Apache-2.0
// What the agent is to systemd: ready after its warm-up, alive while its loops are, and a line on how it stands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/asset.h"
#include "edge/service/loop_watchdog.h"
#include "edge/service/notify_socket.h"

namespace millwright::edge {

// The control thread's, apart from the pulses.
class Service {
 public:
  Service(const ServiceEnvironment& environment, size_t assets);

  [[nodiscard]] PulseListener& pulse(size_t asset) { return watchdog_.of(asset); }
  // Where the manager has no room for it, it is told again with tick().
  void ready() { ready_told_ = manager_.tell("READY=1"); }
  // Tells that bundles are taken over, and, at its end, that this is done.
  class Reloading {
   public:
    Reloading(Service& service, const Clock& clock);
    ~Reloading() { service_.ready(); }
    Reloading(const Reloading&) = delete;
    Reloading& operator=(const Reloading&) = delete;

   private:
    Service& service_;
  };
  void stopping() const;
  // Tells what has changed since it was told last.
  void tick(const std::vector<std::unique_ptr<Asset>>& assets);

 private:
  NotifySocket manager_;
  LoopWatchdog watchdog_;
  std::string told_;
  bool ready_told_ = true;
};

}  // namespace millwright::edge
