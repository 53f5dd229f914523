// SPDX-License-Identifier: Apache-2.0
#include "edge/monitor/asset_metrics.h"

#include <cmath>
#include <limits>
#include <string>

namespace millwright::edge {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<double, 12> kLatencyBounds = {0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0, 3.3, 5.0};
constexpr size_t kVersionDigits = 12;  // of the digest: enough for a person to tell bundles apart

template <typename Enum, size_t N>
uint64_t at(const std::array<Counter, N>& counters, Enum which) {
  return counters[static_cast<size_t>(which)].get();
}

}  // namespace

AssetMetrics::AssetMetrics(metrics::Registry& registry, const Config& config, const AssetConfig& asset)
    : registry_(registry),
      labels_({{"device_id", config.device_id}, {"asset_id", asset.id}, {"factory_id", config.factory_id}}) {
  registry_.gauge({"edge_asset_info", "The line in which the asset stands"}, with("line_id", config.line_id)).set(1.0);
  make_agreed();
  make_verdicts();
  make_process();
  make_upkeep(asset);
}

metrics::Labels AssetMetrics::with(std::string_view label, std::string_view value) const {
  Labels labels = labels_;
  labels.emplace_back(label, value);
  return labels;
}

void AssetMetrics::count(std::string_view name, std::string_view help, uint64_t (*total)(const AssetView&)) {
  metrics::Counter& counter = registry_.counter({name, help}, labels_);
  updates_.emplace_back([&counter, total](const AssetView& view) { counter.set_total(total(view)); });
}

void AssetMetrics::measure(std::string_view name, std::string_view help, double (*value)(const AssetView&)) {
  metrics::Gauge& gauge = registry_.gauge({name, help}, labels_);
  updates_.emplace_back([&gauge, value](const AssetView& view) { gauge.set(value(view)); });
}

void AssetMetrics::make_agreed() {
  metrics::Histogram& inference = registry_.histogram(
      {"edge_inference_latency_ms", "From the last sample of a window to its verdict"}, kInferenceBoundsMs, labels_);
  updates_.emplace_back([&inference](const AssetView& view) { inference.take_over(view.counters.inference_ms); });
  count("edge_inference_total", "Strokes that a model judged", [](const AssetView& v) {
    return at(v.counters.verdicts, model::Verdict::kGo) + at(v.counters.verdicts, model::Verdict::kNoGo);
  });
  for (size_t i = 0; i < alerts_.size(); ++i) {
    alerts_[i] = &registry_.counter({"edge_anomaly_alerts_total", "Strokes whose score was at or above the threshold"},
                                    with("severity", model::name(static_cast<model::Severity>(i))));
  }
  measure("edge_anomaly_score", "Anomaly score of the last judged stroke, threshold at 0.5", [](const AssetView& v) {
    const double score = v.counters.last_score.load(std::memory_order_relaxed);
    return score < 0.0 ? kNone : score;
  });
}

void AssetMetrics::make_verdicts() {
  count("edge_strokes_total", "Strokes with an id", [](const AssetView& v) { return v.strokes; });
  for (size_t i = 0; i < 3; ++i) {
    metrics::Counter& counter = registry_.counter({"edge_verdicts_total", "Strokes by verdict"},
                                                  with("verdict", model::name(static_cast<model::Verdict>(i))));
    updates_.emplace_back([&counter, i](const AssetView& v) { counter.set_total(v.counters.verdicts[i].get()); });
  }
  for (size_t i = 1; i < 10; ++i) {
    metrics::Counter& counter = registry_.counter({"edge_no_verdicts_total", "Strokes without a verdict, by reason"},
                                                  with("reason", model::name(static_cast<model::Reason>(i))));
    updates_.emplace_back([&counter, i](const AssetView& v) { counter.set_total(v.counters.reasons[i].get()); });
  }
  count("edge_deadline_misses_total", "Strokes whose verdict came too late to be of use",
        [](const AssetView& v) { return at(v.counters.reasons, model::Reason::kDeadline); });
  measure("edge_strokes_missing", "Triggers without a record; anything but 0 is a defect",
          [](const AssetView& v) { return static_cast<double>(v.strokes_missing); });
  latency_s_ =
      &registry_.histogram({"edge_verdict_latency_seconds", "From trigger to verdict"}, kLatencyBounds, labels_);
  metrics::Gauge& age = registry_.gauge({"edge_last_verdict_age_seconds", "Since the last GO or NO_GO"}, labels_);
  updates_.emplace_back([this, &age](const AssetView& v) {
    const int64_t last = last_verdict_ns_.load(std::memory_order_relaxed);
    age.set(last == 0 ? kNone : static_cast<double>(v.now_ns - last) * 1e-9);
  });
}

void AssetMetrics::make_process() {
  measure("edge_alarm_active", "1 while the alarm stands, debounced and latched", [](const AssetView& v) {
    return stands(v.counters.alarm_state.load(std::memory_order_relaxed)) ? 1.0 : 0.0;
  });
  measure("edge_alarm_shelved", "1 while an operator has silenced the alarm", [](const AssetView& v) {
    return v.counters.alarm_state.load(std::memory_order_relaxed) == AlarmState::kShelved ? 1.0 : 0.0;
  });
  count("edge_alarms_raised_total", "Alarms raised", [](const AssetView& v) { return v.counters.alarms_raised.get(); });
  measure("edge_strokes_left", "Strokes until wear reaches the limit, NaN where no wear is rising",
          [](const AssetView& v) {
            return v.counters.trend_rising.load(std::memory_order_relaxed)
                       ? static_cast<double>(v.counters.strokes_left.get())
                       : kNone;
          });
  for (size_t i = 1; i < sensor_faults_.size(); ++i) {
    sensor_faults_[i] =
        &registry_.counter({"edge_sensor_faults_total", "Strokes with a sensor at fault, by NE 107 class"},
                           with("ne107", signal::name(static_cast<signal::Ne107>(i))));
  }
  count("edge_plc_cycles_missed_total", "Strokes that the PLC counted and nobody saw",
        [](const AssetView& v) { return v.counters.cycles_missed.get(); });
  count("edge_samples_lost_total", "Samples per channel that never came",
        [](const AssetView& v) { return v.source.frames_lost.load(std::memory_order_relaxed); });
  count("edge_packets_refused_total", "Packets that were not what they claim to be",
        [](const AssetView& v) { return v.source.refused.load(std::memory_order_relaxed); });
  count("edge_messages_left_out_total", "Messages with samples that came faster than strokes are decided",
        [](const AssetView& v) { return v.source.left_out.load(std::memory_order_relaxed); });
  measure("edge_source_connected", "0 while whoever hands over the samples cannot be reached",
          [](const AssetView& v) { return v.source_up ? 1.0 : 0.0; });
}

void AssetMetrics::make_upkeep(const AssetConfig& asset) {
  registry_.gauge({"edge_deadline_seconds", "From the trigger to the output, as configured"}, labels_)
      .set(static_cast<double>(asset.deadline_ms) * 1e-3);
  measure("edge_records_pending", "Records that are not yet in the journal",
          [](const AssetView& v) { return static_cast<double>(v.records_pending); });
  count("edge_journal_failures_total", "Writes of records that failed and were tried again",
        [](const AssetView& v) { return v.journal_failures; });
  count("edge_journal_files_removed_total", "Oldest journal files that made room",
        [](const AssetView& v) { return v.journal_files_removed; });
  count("edge_model_swaps_total", "Models taken over at a stroke boundary",
        [](const AssetView& v) { return v.counters.judge_swaps.get(); });
  measure("edge_model_age_seconds", "Since the model was trained, NaN where there is none",
          [](const AssetView& v) { return v.model_age_s; });
  if (asset.output.kind == OutputConfig::Kind::kModbusServer ||
      asset.output.kind == OutputConfig::Kind::kModbusClient) {
    make_plc_link();
  }
  show_model(Digest{}, 0);
}

void AssetMetrics::make_plc_link() {
  measure("edge_plc_connected", "1 while the PLC is there",
          [](const AssetView& v) { return v.link && v.link->up ? 1.0 : 0.0; });
  measure("edge_plc_heard_age_seconds", "Since the PLC asked, or took what was written",
          [](const AssetView& v) { return v.link ? v.link->heard_age_s : kNone; });
  measure("edge_plc_heartbeat_age_seconds", "Since the PLC's own heartbeat moved, NaN where it has none",
          [](const AssetView& v) { return v.link ? v.link->heartbeat_age_s : kNone; });
  measure("edge_plc_late_results", "Results in a row that came too late; from 3 on the PLC is told of a fault",
          [](const AssetView& v) { return v.link ? static_cast<double>(v.link->late_results) : kNone; });
  count("edge_plc_connects_total", "Connections between PLC and box",
        [](const AssetView& v) { return v.link ? v.link->connects : 0; });
  count("edge_plc_transactions_total", "Requests answered, or blocks written",
        [](const AssetView& v) { return v.link ? v.link->transactions : 0; });
  count("edge_plc_refused_total", "Requests that were none for this box, or writes that failed",
        [](const AssetView& v) { return v.link ? v.link->refused : 0; });
}

// Both are labels: the series of the last one goes, so that a page shows one model and one provider.
void AssetMetrics::show_model(const Digest& model, uint8_t provider) {
  const auto version = [](const Digest& digest) {
    return digest == Digest{} ? std::string("none") : digest.hex().substr(0, kVersionDigits);
  };
  registry_.remove("edge_model_version", with("version_string", version(shown_model_)));
  registry_.remove("edge_provider_info", with("provider", model::kProviders[shown_provider_]));
  shown_model_ = model;
  shown_provider_ = provider < model::kProviders.size() ? provider : 0;
  registry_
      .gauge({"edge_model_version", "The bundle that made the last verdict"},
             with("version_string", version(shown_model_)))
      .set(1.0);
  registry_
      .gauge({"edge_provider_info", "What ran the model for the last verdict"},
             with("provider", model::kProviders[shown_provider_]))
      .set(1.0);
}

void AssetMetrics::heard(const model::StrokeRecord& record, int64_t now_ns) {
  if (record.sensor_fault != signal::SensorFault::kNone) {
    const auto status = static_cast<size_t>(signal::ne107(record.sensor_fault));
    if (status > 0 && status < sensor_faults_.size()) sensor_faults_[status]->add();
  }
  if (record.verdict == model::Verdict::kNoVerdict) return;
  latency_s_->observe(static_cast<double>(record.latency_ns) * 1e-9);
  last_verdict_ns_.store(now_ns, std::memory_order_relaxed);
  if (record.is_alert) alerts_[static_cast<size_t>(record.severity)]->add();
  if (record.model != shown_model_ || record.provider != shown_provider_) show_model(record.model, record.provider);
}

void AssetMetrics::update(const AssetView& view) {
  for (const auto& update : updates_) update(view);
}

}  // namespace millwright::edge
