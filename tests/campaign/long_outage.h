// SPDX-License-Identifier: Apache-2.0
// One outage: a plant whose time can be set forward, and what came of its messages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <latch>
#include <mutex>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace millwright::campaign {

struct OutagePlan {
  std::filesystem::path folder;
  uint64_t seed = 1;
  uint64_t strokes = 0;      // during the outage
  double interval_s = 1.0;   // between them, of the plant's time
  uint64_t alert_every = 1;  // strokes
  double replay_per_s = 500.0;
  uint64_t deaf_every = 0;   // the hub acknowledges and forgets each so many-th message; 0: it does not
  int64_t told_late_ms = 0;  // live strokes reach the journal so late
};

struct OutageFigures {
  uint64_t scores = 0, alerts = 0;  // during the outage
  uint64_t live = 0;                // strokes after it, one a second
  uint64_t scores_missing = 0;      // of all, by the checker's own count
  uint64_t alerts_missing = 0;
  uint64_t scores_dropped = 0;  // by the box's metrics
  uint64_t alerts_dropped = 0;
  uint64_t dropped_full = 0, dropped_expired = 0;  // of scores
  uint64_t holes = 0;                              // missing scores that are newer than one that arrived
  uint64_t wrong = 0;                              // payloads that are not what the journal said
  uint64_t duplicates = 0;
  uint64_t file_bytes = 0;   // of the outbox, most of apparent and allocated
  double alerts_up_s = 0.0;  // after the connection
  double drained_s = 0.0;
  double worst_lag_s = 0.0;  // of live scores while the backlog drained
  uint64_t not_drained = 0;
};

Result<OutageFigures> live_through(const OutagePlan& plan);
nlohmann::ordered_json to_json(const OutageFigures& figures);

}  // namespace millwright::campaign
