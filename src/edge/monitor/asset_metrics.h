// SPDX-License-Identifier: Apache-2.0
// The metrics of one asset. The agreed names (edge_inference_latency_ms and its like) keep the units that they have had
// elsewhere; all others are in base units.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/loop_counters.h"
#include "edge/output.h"
#include "edge/source.h"
#include "metrics/registry.h"
#include "model/stroke_record.h"

namespace millwright::edge {

// What is read from an asset at a scrape.
struct AssetView {
  const LoopCounters& counters;
  const SourceCounters& source;
  int64_t now_ns = 0;            // monotonic
  uint64_t strokes = 0;          // with an id, those of earlier lives that were recovered included
  uint64_t records_pending = 0;  // not yet in the journal
  uint64_t strokes_missing = 0;  // triggers without a record: must be 0
  bool source_up = true;
  uint64_t journal_failures = 0;
  uint64_t journal_files_removed = 0;
  double model_age_s = std::numeric_limits<double>::quiet_NaN();  // NaN: no model, or of no known date
  std::optional<OutputLink> link;                                 // none: nobody has to be there
};

class AssetMetrics {
 public:
  // Makes every series, so that no alert rule has to wait for the first event of a kind. The registry must outlive
  // this.
  AssetMetrics(metrics::Registry& registry, const Config& config, const AssetConfig& asset);

  // The record writer's thread, once per record.
  void heard(const model::StrokeRecord& record, int64_t now_ns);
  // At a scrape.
  void update(const AssetView& view);

 private:
  using Labels = metrics::Labels;
  [[nodiscard]] Labels with(std::string_view label, std::string_view value) const;
  void count(std::string_view name, std::string_view help, uint64_t (*total)(const AssetView&));
  void measure(std::string_view name, std::string_view help, double (*value)(const AssetView&));
  void make_agreed();
  void make_verdicts();
  void make_process();
  void make_upkeep(const AssetConfig& asset);
  void make_plc_link();
  void show_model(const Digest& model, uint8_t provider);

  metrics::Registry& registry_;
  Labels labels_;  // device_id, asset_id, factory_id
  std::vector<std::function<void(const AssetView&)>> updates_;
  metrics::Histogram* latency_s_ = nullptr;
  std::array<metrics::Counter*, 4> alerts_{};         // by severity
  std::array<metrics::Counter*, 5> sensor_faults_{};  // by NE 107 class
  std::atomic<int64_t> last_verdict_ns_{0};
  // The writer's thread only.
  Digest shown_model_;
  uint8_t shown_provider_ = 0;
};

}  // namespace millwright::edge
