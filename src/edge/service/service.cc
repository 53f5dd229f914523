// SPDX-License-Identifier: Apache-2.0
#include "edge/service/service.h"

#include <fmt/format.h>

namespace millwright::edge {

Service::Service(const ServiceEnvironment& environment, size_t assets)
    : manager_(environment.notify_socket), watchdog_(assets, manager_, environment.watchdog_ns) {}

Service::Reloading::Reloading(Service& service, const Clock& clock) : service_(service) {
  (void)service.manager_.tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", clock.monotonic_ns() / 1'000));
}

void Service::stopping() const { (void)manager_.tell("STOPPING=1\nSTATUS=writing the last records"); }

void Service::tick(const std::vector<std::unique_ptr<Asset>>& assets) {
  if (!ready_told_) ready();
  size_t ended = 0;
  size_t without_model = 0;
  for (size_t i = 0; i < assets.size(); ++i) {
    if (assets[i]->model() == Digest{}) ++without_model;
    if (!assets[i]->ended()) continue;
    watchdog_.release(i);
    ++ended;
  }
  std::string status = fmt::format("{} assets watched", assets.size() - ended);
  if (without_model > 0) status += fmt::format(", {} without a model", without_model);
  if (ended > 0) status += fmt::format(", {} ended", ended);
  if (status == told_ || !manager_.tell("STATUS=" + status)) return;
  told_ = status;
}

}  // namespace millwright::edge
