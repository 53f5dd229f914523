// SPDX-License-Identifier: Apache-2.0
#include "signal/rate_check.h"

#include <cmath>

namespace millwright::signal {

namespace {
constexpr int64_t kMaxJitterNs = 1'000'000'000;  // further back than this is a step of the clock
}

SensorFault RateCheck::push(uint64_t frames, int64_t time_ns) {
  if (!begin_ns_ || time_ns + kMaxJitterNs < last_ns_) {
    begin_ns_ = time_ns;
    frames_ = 0;
  } else {
    frames_ += frames;
  }
  last_ns_ = time_ns;
  const int64_t span_ns = time_ns - *begin_ns_;
  if (span_ns >= options_.span_ns && span_ns > 0) {
    measured_hz_ = static_cast<double>(frames_) / (static_cast<double>(span_ns) * 1e-9);
    begin_ns_ = time_ns;
    frames_ = 0;
  }
  const bool wrong = measured_hz_ && std::fabs(*measured_hz_ / options_.rate_hz - 1.0) > options_.tolerance;
  return wrong ? SensorFault::kWrongRate : SensorFault::kNone;
}

}  // namespace millwright::signal
