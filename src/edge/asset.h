// SPDX-License-Identifier: Apache-2.0
// One watched machine: its source, its stroke loop on a thread of its own, its records.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "edge/config.h"
#include "edge/journal.h"
#include "edge/judge.h"
#include "edge/ledger.h"
#include "edge/make_source.h"
#include "edge/monitor/asset_metrics.h"
#include "edge/npy_collector.h"
#include "edge/operator/label_log.h"
#include "edge/operator/operator_view.h"
#include "edge/record_lines.h"
#include "edge/record_writer.h"
#include "edge/stroke_loop.h"
#include "edge/updater/install_state.h"
#include "edge/windows/window_keeper.h"
#include "edge/windows/window_ring.h"

namespace millwright::edge {

class Asset {
 public:
  struct Settings {
    const Config& config;
    const AssetConfig& asset;
    const Clock& clock;
    bool fast = false;
    std::function<void()> on_end;  // called on the asset's thread when its source ends
    metrics::Registry& metrics;    // outlives the asset
    // One line of JSON for the operator's page, on any thread.
    std::function<void(std::string_view asset_id, std::string_view json)> show;
    // This stroke is in the journal; on the writer's thread, must not wait.
    std::function<void(uint64_t stroke_id)> durable;
    PulseListener* pulse = nullptr;  // of its loop; outlives the asset
    // The summary of a period's features, one line of JSON, on the control thread.
    std::function<void(std::string_view asset_id, std::string_view json)> features;
  };
  // Opens source, ledger, journal and output; recovers what a kill left behind.
  static Result<std::unique_ptr<Asset>> create(const Settings& settings);
  ~Asset();
  Asset(const Asset&) = delete;
  Asset& operator=(const Asset&) = delete;

  void start();
  // Offers a judge to the running loop; kInvalidInput where it wants other windows than this asset cuts, for which
  // every score would be wrong.
  Status offer(std::unique_ptr<Judge> judge);
  // Where its judges come from, since a reload.
  void set_bundle(const std::filesystem::path& bundle) { config_.bundle = bundle; }
  // There will be no judge after all: the reason in the records says so.
  void give_up_judge();
  // What an operator does; any thread.
  void acknowledge() { loop_->acknowledge(); }
  void shelve_ns(int64_t duration_ns) { loop_->shelve_ns(duration_ns); }
  // In the log of labels, and beside the stroke's window where that is kept.
  Status label(uint64_t stroke_id, std::string_view label);
  // Frees what the loop has put down, writes what was collected, logs what changed.
  void tick();
  // Stops the source, waits for the loop, writes every record. The last word on how it went.
  Status finish(int64_t patience_ms);

  [[nodiscard]] const std::string& id() const { return config_.id; }
  [[nodiscard]] const AssetConfig& config() const { return config_; }
  // The last stroke in the journal when it was opened.
  [[nodiscard]] uint64_t journal_start() const { return journal_start_; }
  [[nodiscard]] bool live() const { return source_->live(); }
  [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
  [[nodiscard]] const Digest& model() const { return model_; }
  // Strokes that the model failed on, since the start.
  [[nodiscard]] uint64_t model_failures() const {
    return counters_.reasons[static_cast<size_t>(model::Reason::kModelError)].get();
  }
  // Since the start; an alert is a NO_GO here.
  [[nodiscard]] StrokeCounts stroke_counts() const;
  [[nodiscard]] nlohmann::json status() const;
  // Grows with every sample, stroke, record and model: where it stands still, so does the machine. The control thread.
  [[nodiscard]] uint64_t activity() const;
  // At a scrape, on the scraping thread.
  void update_metrics();

 private:
  explicit Asset(const Settings& settings);
  Status open(const Settings& settings);
  Status open_records(const Config& config);
  void log_recovery() const;
  void log_model();
  void log_records();
  void log_link();
  void log_source();
  void log_windows();
  void add_windows(nlohmann::json& status) const;
  void open_windows(const Config& config);
  void report_features();
  [[nodiscard]] AssetView view() const;
  void show(const model::StrokeRecord& record, int64_t now_ns);
  void publish(int64_t now_ns);
  void heard(const model::StrokeRecord& record);

  AssetConfig config_;
  const Clock& clock_;
  std::function<void()> on_end_;
  std::unique_ptr<SampleSource> source_;
  std::unique_ptr<signal::WindowCutter> cutter_;
  std::unique_ptr<Output> output_;
  std::unique_ptr<NpyCollector> collector_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<RecordLines> lines_;
  std::unique_ptr<RecordWriter> writer_;
  LoopCounters counters_;
  AssetMetrics metrics_;
  WindowRing windows_;
  std::unique_ptr<WindowKeeper> keeper_;
  OperatorView operator_view_;
  LabelLog labels_;
  const std::function<void(std::string_view, std::string_view)> show_;
  const std::function<void(uint64_t)> durable_;
  const std::function<void(std::string_view, std::string_view)> features_;
  const std::string device_id_;
  uint64_t journal_start_ = 0;
  std::atomic<int64_t> model_created_ns_{0};  // wall; 0: nobody knows
  std::unique_ptr<StrokeLoop> loop_;
  std::thread thread_;
  std::atomic<bool> ended_{false};
  Digest model_;  // offered last
  uint64_t models_offered_ = 0;
  // The writer's thread only: what the last record said, to log changes and not strokes.
  bool alarm_active_ = false;
  uint64_t silent_alarms_ = 0;  // raised, not logged: beyond max_calls_per_hour
  bool alarm_is_silent_ = false;
  bool trend_rising_ = false;
  signal::SensorFault sensor_fault_ = signal::SensorFault::kNone;
  std::atomic<int64_t> shown_ns_{0};  // when the operator's page was told last
  std::atomic<bool> unshown_{false};  // a stroke that followed too soon on another
  int64_t looked_ns_ = 0;             // the keeper's thread only: when the page got its last window
  // The control thread only.
  uint64_t seen_failures_ = 0;
  bool records_failing_ = false;  // as logged
  int64_t logged_records_ns_ = 0;
  uint64_t logged_resyncs_ = 0;
  uint64_t logged_refused_ = 0;
  uint64_t logged_left_out_ = 0;
  uint64_t logged_source_connects_ = 0;
  std::string logged_source_loss_;  // empty: it is up
  const int64_t began_ns_ = clock_.monotonic_ns();
  std::optional<bool> link_up_;  // as logged
  uint64_t seen_verdicts_ = 0;
  uint64_t logged_window_failures_ = 0;
  std::shared_ptr<FeatureSummary> summary_;  // of the judge offered last
  std::vector<std::string> feature_names_;
  int64_t period_began_ns_ = 0;
  std::string logged_model_failure_;  // empty: it works
};

}  // namespace millwright::edge
