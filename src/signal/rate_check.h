// SPDX-License-Identifier: Apache-2.0
// Do samples come at the rate that was declared? A wrong rate shifts every frequency, and nothing else shows it.
#pragma once

#include <cstdint>
#include <optional>

#include "signal/health.h"

namespace millwright::signal {

// Counts samples against timestamps over spans that are long against their jitter. One thread, no allocation.
class RateCheck {
 public:
  struct Options {
    double rate_hz = 0.0;     // declared; above 0
    double tolerance = 0.02;  // relative
    int64_t span_ns = 5'000'000'000;
  };
  explicit RateCheck(const Options& options) : options_(options) {}

  // `frames` samples (per channel) came, the last of them at `time_ns`; those of a known gap count as having come.
  // kWrongRate while the last whole span was off by more than the tolerance, else kNone. A clock that steps back
  // by more than a second begins a new span.
  SensorFault push(uint64_t frames, int64_t time_ns);

  // The stream paused or began again: nothing is known until another whole span has come.
  void restart() {
    begin_ns_.reset();
    measured_hz_.reset();
  }

  // Over the last whole span.
  [[nodiscard]] std::optional<double> measured_hz() const { return measured_hz_; }

 private:
  Options options_;
  std::optional<int64_t> begin_ns_;
  int64_t last_ns_ = 0;
  uint64_t frames_ = 0;
  std::optional<double> measured_hz_;
};

}  // namespace millwright::signal
