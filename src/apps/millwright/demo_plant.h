// SPDX-License-Identifier: Apache-2.0
// What stands around the demo's box in a plant: a broker behind TLS, somebody who listens, and Prometheus. All on the
// loopback, all real programs, all gone when the demo ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "base/error.h"
#include "lab/report/demo_report.h"

namespace millwright::apps {

class DemoPlant {
 public:
  // Makes certificates and starts everything. kUnavailable where a program is not installed; the message names it.
  static Result<DemoPlant> start(const std::filesystem::path& folder);

  // [http] and [mqtt] of the agent's configuration.
  [[nodiscard]] std::string agent_sections() const;

  // The broker dies, as by a power cut, and comes back.
  Status cut();
  Status mend();

  // What the listener and Prometheus saw. `presses`: how many strokes each had, by name.
  Result<lab::LinkReport> finish(const std::vector<std::pair<std::string, uint64_t>>& presses);

 private:
  explicit DemoPlant(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Status make_certificates() const;
  Status start_broker();
  Status start_listener();
  Status start_prometheus();
  Status count_arrivals(lab::LinkReport& report) const;
  void ask_prometheus(lab::LinkReport& report) const;
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  [[nodiscard]] double since_start_s() const;

  std::filesystem::path folder_;
  uint16_t broker_port_ = 0;
  uint16_t agent_port_ = 0;
  uint16_t prometheus_port_ = 0;
  std::optional<ChildProcess> broker_;
  std::optional<ChildProcess> listener_;
  std::optional<ChildProcess> prometheus_;
  double started_s_ = 0.0;  // seconds since 1970-01-01 UTC
  double cut_s_ = 0.0;      // since the start
  double mended_s_ = 0.0;
};

}  // namespace millwright::apps
