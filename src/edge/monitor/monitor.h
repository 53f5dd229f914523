// SPDX-License-Identifier: Apache-2.0
// What the box shows of itself over HTTP: metrics for Prometheus, and whatever pages the agent adds. A port that is
// taken, or an address that is gone, stops the showing and never a decision: it is tried again.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/config.h"
#include "edge/health/system_probe.h"
#include "metrics/registry.h"
#include "net/http/server.h"

namespace millwright::edge {

inline constexpr int64_t kSystemFiguresNs = 15'000'000'000;
inline constexpr int64_t kListenAgainNs = 10'000'000'000;

// The control thread owns it; the registry and publish() may be used by any.
class Monitor {
 public:
  Monitor(const Config& config, const Clock& clock);

  [[nodiscard]] metrics::Registry& registry() { return registry_; }
  // Before the first tick().
  void add_route(net::http::Route route) { routes_.push_back(std::move(route)); }
  // To every page that listens; nothing where none does. Never waits for a page.
  void publish(std::string_view name, std::string_view text, std::string_view key);
  // Reads the system's figures every 15 s, and listens as soon as it can.
  void tick();
  // The figures of the last reading.
  [[nodiscard]] const SystemFigures& system() const { return system_; }
  // 0 while it does not listen.
  [[nodiscard]] uint16_t port() const;
  // No request is answered any more; what handlers refer to may go.
  void close();

 private:
  void make_series();
  void show_server();
  void read_system();
  void listen();

  const HttpConfig options_;
  const Clock& clock_;
  metrics::Labels labels_;  // device_id, factory_id
  metrics::Registry registry_;
  SystemProbe probe_;
  SystemFigures system_;
  std::vector<net::http::Route> routes_;
  mutable std::mutex mutex_;
  std::unique_ptr<net::http::Server> server_;  // guarded by mutex_
  int64_t next_figures_ns_ = 0;
  int64_t next_listen_ns_ = 0;
  bool refusal_logged_ = false;
};

}  // namespace millwright::edge
