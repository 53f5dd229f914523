// SPDX-License-Identifier: Apache-2.0
#include "edge/monitor/monitor.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "edge/event_log.h"

namespace millwright::edge {
namespace {

double or_none(const std::optional<double>& value) { return value.value_or(std::numeric_limits<double>::quiet_NaN()); }

}  // namespace

Monitor::Monitor(const Config& config, const Clock& clock)
    : options_(config.http),
      clock_(clock),
      labels_({{"device_id", config.device_id}, {"factory_id", config.factory_id}}) {
  add_route({"GET", "/metrics", [this](const net::http::Request&) {
               net::http::Response page{.content_type = std::string(metrics::kContentType)};
               registry_.render(page.body);
               return page;
             }});
  make_series();
}

void Monitor::make_series() {
  registry_.before_scrape([scrapes = &registry_.counter({"edge_scrapes_total", "Pages of metrics given out"},
                                                        labels_)] { scrapes->add(); });
  registry_.before_scrape([this] { show_server(); });
  show_server();
  read_system();
}

// How the server itself fares: pages that stay open, and those who ask too much.
void Monitor::show_server() {
  net::http::ServerCounters now;
  {
    const std::lock_guard lock(mutex_);
    if (server_) now = server_->counters();
  }
  registry_.gauge({"edge_http_connections", "Connections that are open"}, labels_)
      .set(static_cast<double>(now.connections));
  registry_.gauge({"edge_http_event_readers", "Operator pages that listen"}, labels_)
      .set(static_cast<double>(now.event_readers));
  const auto total = [this](const char* name, const char* help, uint64_t value) {
    registry_.counter({name, help}, labels_).set_total(value);
  };
  total("edge_http_requests_total", "Requests", now.requests);
  total("edge_http_bad_requests_total", "Requests that were malformed, too slow or from another site",
        now.bad_requests);
  total("edge_http_connections_refused_total", "Connections beyond the bound", now.refused_connections);
  total("edge_http_lost_events_total", "Events that no page saw, while a request held the server", now.lost_events);
  total("edge_http_slow_readers_total", "Operator pages cut off because they did not keep up", now.slow_readers);
}

void Monitor::read_system() {
  system_ = probe_.read();
  const auto show = [this](const char* name, const char* help, double value) {
    registry_.gauge({name, help}, labels_).set(value);
  };
  show("edge_cpu_usage_percent", "Processor time of all cores", or_none(system_.cpu_percent));
  show("edge_memory_usage_percent", "Memory that is not to be had", or_none(system_.memory_percent));
  show("edge_gpu_usage_percent", "GPU time, where the kernel shows it", or_none(system_.gpu_percent));
  show("edge_device_temperature_c", "The hottest sensor of the box", or_none(system_.temperature_celsius));
  show("edge_process_resident_bytes", "Memory of this process", static_cast<double>(system_.process_resident_bytes));
  show("edge_process_open_descriptors", "Files and sockets of this process",
       static_cast<double>(system_.process_descriptors));
  show("edge_process_threads", "Threads of this process", static_cast<double>(system_.process_threads));
  show("edge_cgroup_throttled_seconds", "Processor time that the control group's quota withheld, since its start",
       or_none(system_.cgroup_throttled_seconds));
  registry_.counter({"edge_thermal_throttles_total", "Times a core was slowed down by heat, since boot"}, labels_)
      .set_total(system_.thermal_throttles.value_or(0));
  show("edge_metrics_series_refused", "Series beyond the bound of one page; anything but 0 is a defect",
       static_cast<double>(registry_.refused()));
}

void Monitor::listen() {
  auto started = net::http::Server::start({.address = options_.address,
                                           .port = options_.port,
                                           .events_path = "/events",
                                           .allowed_hosts = options_.allowed_hosts},
                                          routes_);
  if (started) {
    log_event(Level::kInfo, "listening", {{"address", options_.address}, {"port", (*started)->port()}});
    const std::lock_guard lock(mutex_);
    server_ = std::move(*started);
  } else if (!std::exchange(refusal_logged_, true)) {
    log_event(Level::kWarning, "not_listening",
              {{"error", started.error().message}, {"next_try_s", kListenAgainNs / 1'000'000'000}});
  }
}

void Monitor::publish(std::string_view name, std::string_view text, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (server_) server_->publish(name, text, key);
}

uint16_t Monitor::port() const {
  const std::lock_guard lock(mutex_);
  return server_ ? server_->port() : 0;
}

// The server's thread may stand in a handler that waits for nothing of ours: it ends outside of the lock.
void Monitor::close() {
  std::unique_ptr<net::http::Server> last;
  {
    const std::lock_guard lock(mutex_);
    last.swap(server_);
  }
}

void Monitor::tick() {
  const int64_t now = clock_.monotonic_ns();
  if (now >= next_figures_ns_) {
    read_system();
    next_figures_ns_ = now + kSystemFiguresNs;
  }
  if (options_.enabled && port() == 0 && now >= next_listen_ns_) {
    listen();
    next_listen_ns_ = now + kListenAgainNs;
  }
}

}  // namespace millwright::edge
