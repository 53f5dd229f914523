// SPDX-License-Identifier: Apache-2.0
#include "edge/asset.h"

#include <pthread.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "edge/event_log.h"
#include "edge/make_output.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kShowEveryNs = 200 * kNanosPerMilli;
constexpr size_t kRingBytes = 4 << 20;
constexpr size_t kMostRingSlots = 16;
constexpr int64_t kShowAtLeastNs = 5'000 * kNanosPerMilli;  // so that a page knows a silent box from a dead one

// Windows that wait for whoever keeps and shows them.
size_t ring_slots(const WindowConfig& window) {
  const size_t bytes = window.channels * window.length * sizeof(float);
  return std::clamp(kRingBytes / bytes, WindowRing::kSlots, kMostRingSlots);
}

json percentiles(const LatencyHistogram& histogram) {
  const auto ms = [](uint64_t ns) { return static_cast<double>(ns) / kNanosPerMilli; };
  return {{"p50", ms(histogram.percentile_ns(0.5))},
          {"p95", ms(histogram.percentile_ns(0.95))},
          {"p99", ms(histogram.percentile_ns(0.99))},
          {"p999", ms(histogram.percentile_ns(0.999))},
          {"max", ms(histogram.max_ns())},
          {"n", histogram.count()}};
}

}  // namespace

Asset::Asset(const Settings& settings)
    : config_(settings.asset),
      clock_(settings.clock),
      on_end_(settings.on_end),
      metrics_(settings.metrics, settings.config, settings.asset),
      windows_(settings.asset.window.channels, settings.asset.window.length, ring_slots(settings.asset.window)),
      operator_view_(settings.asset),
      labels_(settings.config.state / settings.asset.id / "labels.jsonl", settings.asset.id, settings.clock),
      show_(settings.show),
      durable_(settings.durable),
      features_(settings.features),
      device_id_(settings.config.device_id) {}

Result<std::unique_ptr<Asset>> Asset::create(const Settings& settings) {
  std::unique_ptr<Asset> asset(new Asset(settings));
  MW_CHECK_OK(asset->open(settings));
  return asset;
}

Status Asset::open(const Settings& settings) {
  const std::string where = fmt::format("asset '{}'", config_.id);
  source_ = MW_TRY_IN(where, make_source(config_, settings.fast, clock_));
  if (auto fits = check_trigger(config_, *source_); !fits) return with_context(fits.error(), where);
  cutter_ = std::make_unique<signal::WindowCutter>(
      MW_TRY_IN(where, signal::WindowCutter::create(config_.trigger, config_.window.channels, config_.window.length,
                                                    config_.window.rate_hz)));
  output_ = MW_TRY_IN(where, make_output(config_, clock_));
  if (config_.collect) {
    collector_ = MW_TRY_IN(where, NpyCollector::create(*config_.collect, config_.id, config_.window));
  }
  if (auto opened = open_records(settings.config); !opened) return with_context(opened.error(), where);
  open_windows(settings.config);
  // What stood before the restart was logged then.
  Alarm kept(config_.alarm);
  kept.restore(ledger_->alarm());
  alarm_active_ = kept.active();
  StrokeLoopOptions options;
  options.deadline_ns = config_.deadline_ms * kNanosPerMilli;
  options.expects_judge = !config_.bundle.empty();
  options.policy = config_.output.policy;
  options.alarm = config_.alarm;
  options.trend = config_.trend;
  loop_ = std::make_unique<StrokeLoop>(StrokeLoop::Parts{.source = *source_,
                                                         .cutter = *cutter_,
                                                         .clock = clock_,
                                                         .ledger = *ledger_,
                                                         .writer = *writer_,
                                                         .output = *output_,
                                                         .counters = counters_,
                                                         .collector = collector_.get(),
                                                         .watcher = &windows_,
                                                         .pulse = settings.pulse},
                                       options);
  return {};
}

Status Asset::open_records(const Config& config) {
  const auto folder = config.state / config_.id;
  journal_ = std::make_unique<Journal>(MW_TRY(Journal::open(
      folder / "records", {.max_file_bytes = config_.records.max_file_bytes, .max_files = config_.records.max_files})));
  journal_start_ = journal_->tail().stroke_id;
  ledger_ = std::make_unique<Ledger>(MW_TRY(Ledger::open({.path = folder / "ledger",
                                                          .slots = config_.records.ledger_slots,
                                                          .boot_id = boot_id(),
                                                          .journal_last_id = journal_->tail().stroke_id,
                                                          .journal_last_cycle = journal_->tail().plc_cycle})));
  model::RecordContext labels;
  labels.factory_id = config.factory_id;
  labels.line_id = config.line_id;
  labels.asset_id = config_.id;
  labels.device_id = config.device_id;
  labels.boot_id = boot_id();
  labels.channel_names = config_.window.channel_names;
  lines_ = std::make_unique<RecordLines>(std::move(labels));
  writer_ = std::make_unique<RecordWriter>(*ledger_, *journal_, *lines_, journal_->tail().stroke_id,
                                           [this](const model::StrokeRecord& record) { heard(record); });
  return {};
}

// The writer's thread sees each record once: where something began or ended, it says so.
void Asset::heard(const model::StrokeRecord& record) {
  const int64_t now = clock_.monotonic_ns();
  metrics_.heard(record, now);
  if (durable_) durable_(record.stroke_id);
  keeper_->notify();
  show(record, now);
  const json stroke = {{"asset_id", config_.id}, {"stroke_id", record.stroke_id}};
  const auto log = [&](Level level, std::string_view event, json more) {
    more.update(stroke);
    log_event(level, event, more);
  };
  if (record.alarm_active != alarm_active_ && record.verdict != model::Verdict::kNoVerdict) {
    alarm_active_ = record.alarm_active;
    if (alarm_active_) {
      alarm_is_silent_ = counters_.alarms_suppressed.get() > silent_alarms_;
      if (alarm_is_silent_) ++silent_alarms_;
    }
    if (!alarm_is_silent_)
      log(alarm_active_ ? Level::kWarning : Level::kInfo, alarm_active_ ? "alarm_raised" : "alarm_cleared",
          {{"score", record.score}, {"severity", model::name(record.severity)}});
  }
  if (record.trend.rising != trend_rising_ && record.verdict != model::Verdict::kNoVerdict) {
    trend_rising_ = record.trend.rising;
    log(trend_rising_ ? Level::kWarning : Level::kInfo, trend_rising_ ? "trend_rising" : "trend_ended",
        {{"strokes_left", record.trend.strokes_left}});
  }
  if (record.sensor_fault != sensor_fault_ &&
      (record.reason == model::Reason::kSensorFault || record.verdict != model::Verdict::kNoVerdict)) {
    sensor_fault_ = record.sensor_fault;
    const bool faulty = sensor_fault_ != signal::SensorFault::kNone;
    log(faulty ? Level::kWarning : Level::kInfo, faulty ? "sensor_fault" : "sensor_good",
        {{"fault", signal::name(sensor_fault_)},
         {"ne107", signal::name(signal::ne107(sensor_fault_))},
         {"channel", record.sensor_channel}});
  }
}

Asset::~Asset() {
  if (thread_.joinable()) {
    source_->stop();
    thread_.join();
  }
  // Their threads look at members that go first.
  if (writer_) (void)writer_->finish(0);
  if (keeper_) keeper_->finish();
}

void Asset::start() {
  log_recovery();
  keeper_->start();
  writer_->start();
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), config_.id.substr(0, 15).c_str());
    loop_->run();
    ended_.store(true, std::memory_order_release);
    if (on_end_) on_end_();
  });
}

Status Asset::offer(std::unique_ptr<Judge> judge) {
  const JudgeFacts& facts = judge->facts();
  const WindowConfig& window = config_.window;
  if (facts.channels != window.channels || facts.length != window.length || facts.rate_hz != window.rate_hz) {
    return fail(
        ErrorCode::kInvalidInput,
        "asset '{}': the model wants windows of {} channels, {} samples at {} Hz; the asset runs with {}, {}, {}",
        config_.id, facts.channels, facts.length, facts.rate_hz, window.channels, window.length, window.rate_hz);
  }
  model_ = judge->facts().digest;
  ++models_offered_;
  model_created_ns_ = judge->facts().created_wall_ns;
  lines_->add_model(model_, judge->facts().feature_names);
  summary_ = judge->summary();
  feature_names_ = facts.feature_names;
  period_began_ns_ = clock_.monotonic_ns();
  loop_->offer(std::move(judge));
  return {};
}

void Asset::give_up_judge() { loop_->give_up_judge(); }

StrokeCounts Asset::stroke_counts() const {
  const auto verdicts = [this](model::Verdict verdict) {
    return counters_.verdicts[static_cast<size_t>(verdict)].get();
  };
  const auto failed = [this](model::Reason reason) { return counters_.reasons[static_cast<size_t>(reason)].get(); };
  const uint64_t alerts = verdicts(model::Verdict::kNoGo);
  return {.verdicts = verdicts(model::Verdict::kGo) + alerts,
          .alerts = alerts,
          .failures = failed(model::Reason::kModelError) + failed(model::Reason::kDeadline)};
}

uint64_t Asset::activity() const {
  const SourceCounters& source = source_->counters();
  return source.frames.load() + source.refused.load() + counters_.strokes.get() + writer_->written() + models_offered_;
}

void Asset::tick() {
  const int64_t now_ns = clock_.monotonic_ns();
  const bool unshown = unshown_.exchange(false, std::memory_order_relaxed);
  if (unshown || now_ns - shown_ns_.load(std::memory_order_relaxed) >= kShowAtLeastNs) publish(now_ns);
  loop_->retired().reset();
  const auto changed = [](uint64_t now, uint64_t& logged) { return std::exchange(logged, now) != now; };
  log_records();
  if (changed(counters_.cycle_resyncs.get() + counters_.cycle_resets.get(), logged_resyncs_)) {
    log_event(Level::kWarning, "plc_counter_jumped",
              {{"asset_id", config_.id},
               {"resyncs", counters_.cycle_resyncs.get()},
               {"resets", counters_.cycle_resets.get()}});
  }
  log_source();
  log_windows();
  report_features();
  log_model();
  log_link();
  if (!collector_) return;
  const auto written = collector_->write_if_complete(ended());
  if (!written) {
    log_event(Level::kError, "windows_not_written", {{"asset_id", config_.id}, {"error", written.error().message}});
  } else if (!written->empty()) {
    log_event(Level::kInfo, "windows_collected",
              {{"asset_id", config_.id}, {"windows", collector_->collected()}, {"path", written->string()}});
  }
}

Status Asset::finish(int64_t patience_ms) {
  source_->stop();
  if (thread_.joinable()) thread_.join();
  ended_ = true;
  tick();
  const Status written = writer_->finish(patience_ms);
  keeper_->finish();
  return written;
}

AssetView Asset::view() const {
  AssetView view{.counters = counters_, .source = source_->counters(), .now_ns = clock_.monotonic_ns()};
  // The order matters: what is released was counted before, so a difference at rest is a loss.
  view.strokes = counters_.strokes.get() + ledger_->recovery().strokes;
  const bool at_rest = ledger_->backlog() == 0;
  const uint64_t difference = view.strokes - std::min(view.strokes, writer_->written());
  view.records_pending = at_rest ? 0 : difference;
  view.strokes_missing = at_rest ? difference : 0;
  const auto link = source_->link();
  view.source_up = !link || link->up;
  view.journal_failures = writer_->failures();
  view.journal_files_removed = journal_->files_removed();
  if (const int64_t created = model_created_ns_; created > 0) {
    view.model_age_s = static_cast<double>(clock_.wall_ns() - created) * 1e-9;
  }
  view.link = output_->link();
  return view;
}

// The writer's thread. Of strokes faster than a person can see, the page gets some.
void Asset::show(const model::StrokeRecord& record, int64_t now_ns) {
  operator_view_.stroke(record);
  if (now_ns - shown_ns_.load(std::memory_order_relaxed) < kShowEveryNs) {
    unshown_.store(true, std::memory_order_relaxed);
    return;
  }
  publish(now_ns);
}

void Asset::publish(int64_t now_ns) {
  shown_ns_.store(now_ns, std::memory_order_relaxed);
  if (!show_) return;
  std::string line;
  if (const auto record = operator_view_.last_stroke()) lines_->append(line, *record);
  show_(config_.id, operator_view_.json(line, counters_, view().records_pending, now_ns));
}

void Asset::update_metrics() { metrics_.update(view()); }

json Asset::status() const {
  const AssetView now = view();
  json verdicts;
  for (size_t i = 0; i < counters_.verdicts.size(); ++i) {
    verdicts[model::name(static_cast<model::Verdict>(i))] = counters_.verdicts[i].get();
  }
  json reasons = json::object();
  for (size_t i = 1; i < counters_.reasons.size(); ++i) {
    reasons[model::name(static_cast<model::Reason>(i))] = counters_.reasons[i].get();
  }
  const SourceCounters& source = source_->counters();
  const double score = counters_.last_score.load();
  json status = {{"asset_id", config_.id},
                 {"state", ended() ? "ended" : "running"},
                 {"model", model_ == Digest{} ? "" : model_.hex()},
                 {"strokes_triggered", now.strokes},
                 {"records_written", writer_->written()},
                 {"records_pending", now.records_pending},
                 {"strokes_missing", now.strokes_missing},
                 {"last_stroke_id", ledger_->next_id() - 1},
                 {"verdicts", verdicts},
                 {"reasons", reasons},
                 {"plc",
                  {{"missed", counters_.cycles_missed.get()},
                   {"resyncs", counters_.cycle_resyncs.get()},
                   {"resets", counters_.cycle_resets.get()},
                   {"repeats", counters_.cycle_repeats.get()}}},
                 {"source",
                  {{"frames", source.frames.load()},
                   {"gaps", source.gaps.load()},
                   {"frames_lost", source.frames_lost.load()},
                   {"refused", source.refused.load()},
                   {"left_out", source.left_out.load()},
                   {"late_triggers", counters_.late_events.get()}}},
                 {"alarm",
                  {{"state", name(counters_.alarm_state.load())},
                   {"raised", counters_.alarms_raised.get()},
                   {"suppressed", counters_.alarms_suppressed.get()}}},
                 {"trend", {{"rising", counters_.trend_rising.load()}, {"strokes_left", counters_.strokes_left.get()}}},
                 {"latency_ms", percentiles(counters_.latency)},
                 {"deciding_ms", percentiles(counters_.deciding)},
                 {"judge_swaps", counters_.judge_swaps.get()},
                 {"journal",
                  {{"failures", writer_->failures()},
                   {"files_removed", journal_->files_removed()},
                   {"files_replaced", journal_->files_replaced()}}}};
  if (const auto link = output_->link()) {
    status["plc_link"] = {{"up", link->up},
                          {"connects", link->connects},
                          {"transactions", link->transactions},
                          {"refused", link->refused}};
  }
  if (const auto link = source_->link()) {
    status["source"].update({{"up", link->up}, {"connects", link->connects}, {"why", link->why}});
  }
  status["last_score"] = score < 0.0 ? json() : json(score);
  add_windows(status);
  if (collector_) status["windows_collected"] = collector_->collected();
  return status;
}

}  // namespace millwright::edge
