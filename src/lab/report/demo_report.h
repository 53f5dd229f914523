// SPDX-License-Identifier: Apache-2.0
// The page that the demo ends with: a person looks rather than reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/stroke_record.h"

namespace millwright::lab {

// One stroke's samples, one channel, as the sensor gave them.
struct StrokePicture {
  std::string title;      // "stroke 12: GO, score 0.21"
  std::string css_class;  // "good" or "bad"
  std::vector<float> samples;
};

struct AssetReport {
  std::string name;
  std::string story;  // what this press is there to show
  uint64_t triggered = 0;
  uint64_t recorded = 0;
  uint64_t no_go = 0;
  uint64_t sensor_faults = 0;
  uint64_t no_verdict = 0;                // other than sensor faults
  std::optional<uint64_t> false_alarms;   // where somebody knows which strokes are bad
  std::optional<uint64_t> first_warning;  // stroke_id of the first alarm or rising trend
  std::optional<uint64_t> failure;        // stroke_id at which the die fails
  double deadline_us = 0.0;               // from the trigger
  double window_us = 0.0;                 // from the trigger to the window's last sample: no latency of ours
  double rate_hz = 0.0;
  std::vector<model::StrokeRecord> records;
  std::vector<StrokePicture> pictures;
};

struct LatencyFigures {
  double p50_us = 0.0;
  double p99_us = 0.0;
  double p999_us = 0.0;
  double max_us = 0.0;
  uint64_t n = 0;
};

// From the window's last sample to the verdict, over the records that carry one; nearest-rank percentiles.
LatencyFigures latency_figures(const AssetReport& asset);

// What became of the records on their way to the fleet.
struct LinkReport {
  struct Press {
    std::string name;
    uint64_t strokes = 0;
    uint64_t arrived = 0;  // of them, each counted once
    uint64_t late = 0;     // of them, kept by the box while the broker was away
    uint64_t repeated = 0;
  };
  std::vector<Press> presses;
  uint64_t alerts = 0;  // made durable by the listener, and confirmed to the box
  double cut_s = 0.0;   // since the start
  double mended_s = 0.0;
  std::vector<std::pair<double, double>> waiting;  // seconds since the start, messages that wait; Prometheus saw it
  uint64_t raw_bytes = 0;                          // of the sensors, had all been sent
  uint64_t arrived_bytes = 0;                      // of payload
};

struct DemoReport {
  std::string title;
  std::string subtitle;
  std::vector<AssetReport> assets;
  std::optional<LinkReport> link;
  std::vector<std::string> notes;
};

// One self-contained HTML file: no script, no network.
std::string to_html(const DemoReport& report);

// The same table for a terminal.
std::string to_text(const DemoReport& report);

}  // namespace millwright::lab
