// SPDX-License-Identifier: Apache-2.0
#include "edge/stroke_loop.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millwright::edge {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr size_t kMaxEventsPerBlock = 1024;

}  // namespace

struct StrokeLoop::Stroke {
  TriggerStamp stamp;
  Ledger::Opened opened;
  model::StrokeRecord record;
};

StrokeLoop::StrokeLoop(const Parts& parts, const StrokeLoopOptions& options)
    : parts_(parts),
      options_(options),
      alarm_(options.alarm),
      trend_(options.trend),
      no_references_(parts.source.shape().channels),
      expects_judge_(options.expects_judge),
      shape_(parts.source.shape()),
      max_open_(std::min(kMaxOpenStrokes, parts.ledger.slots() / kMinLedgerSlots)),
      stopped_(options.policy.on_start != FailSafe::kPass) {
  events_.reserve(kMaxEventsPerBlock);
  open_.reserve(max_open_);
  // A restart confirms no alarm: what stood before stands, and stops what it stopped.
  alarm_.restore(parts_.ledger.alarm());
  if (options_.policy.stop_on_alarm && alarm_.active()) stopped_ = true;
  parts_.counters.alarm_state.store(alarm_.state(), std::memory_order_relaxed);
  parts_.output.drive({.stop = stopped_, .alarm = alarm_.active(), .reason = model::Reason::kStarting});
}

StrokeLoop::~StrokeLoop() {
  delete offered_.load();
  delete retired_.load();
}

void StrokeLoop::run() {
  while (true) {
    beat(parts_.clock.monotonic_ns());
    take_offered();
    const Block block = parts_.source.next(parts_.cutter.max_block(), wake_time());
    if (block.kind == Block::Kind::kEnd) return close_pending(model::Reason::kSamplesLost);
    if (block.kind == Block::Kind::kStopped) return close_pending(model::Reason::kRestart);
    if (block.kind == Block::Kind::kSamples) take(block);
    watch_pending();
  }
}

// The next heartbeat, or the deadline of a stroke whose samples have not all come.
int64_t StrokeLoop::wake_time() const {
  const auto pending = parts_.cutter.pending();
  if (!pending) return next_beat_ns_;
  return std::min(next_beat_ns_, waiting_since(*pending) + options_.deadline_ns + 1);
}

// One block of samples in, every stroke that it completes out.
void StrokeLoop::take(const Block& block) {
  if (block.gap_frames > 0) {
    parts_.cutter.push_gap(block.gap_frames);
    stream_frames_ += block.gap_frames;
  }
  events_.clear();
  for (const auto& event : block.events.first(std::min(block.events.size(), kMaxEventsPerBlock))) {
    events_.push_back({.sample = stream_frames_ + event.sample, .cycle = event.cycle});
  }
  parts_.cutter.push(block.planar, block.frames, events_);
  stream_frames_ += block.frames;
  arrival_ns_ = block.arrival_ns;
  stream_fault_ = block.fault;
  parts_.counters.late_events.set(parts_.cutter.late_events());
  open_waiting();
  while (const auto cut = parts_.cutter.next()) {
    Stroke stroke = begin(cut->trigger);
    finish(stroke, &*cut, model::Reason::kNone);
    take_offered();
  }
}

// A trigger gets its id at once, before any window is judged, so that a kill before its verdict leaves a trace.
void StrokeLoop::open_waiting() {
  for (size_t i = 0; i < max_open_ && open_.size() < max_open_; ++i) {
    const auto trigger = parts_.cutter.waiting(i);
    if (!trigger) return;
    if (find_open(*trigger) == open_.end()) open_.push_back(open(*trigger));
  }
}

std::vector<StrokeLoop::Open>::const_iterator StrokeLoop::find_open(const signal::TriggerEvent& trigger) const {
  return std::ranges::find_if(open_, [&](const Open& open) {
    return open.trigger.sample == trigger.sample && open.trigger.cycle == trigger.cycle;
  });
}

// A stroke whose samples do not come in time is given up.
void StrokeLoop::watch_pending() {
  open_waiting();
  while (const auto pending = parts_.cutter.pending()) {
    if (!late(waiting_since(*pending))) return;
    Stroke stroke = begin(*pending);
    parts_.cutter.drop_pending();
    open_waiting();
    finish(stroke, nullptr, model::Reason::kDeadline);
  }
}

// The stream is over: what was triggered gets its record all the same.
void StrokeLoop::close_pending(model::Reason reason) {
  while (const auto pending = parts_.cutter.pending()) {
    Stroke stroke = begin(*pending);
    parts_.cutter.drop_pending();
    finish(stroke, nullptr, reason);
  }
}

// The instant of a sample, reckoned back from the arrival of the last one.
int64_t StrokeLoop::trigger_time(uint64_t sample) const {
  if (shape_.rate_hz <= 0.0 || sample + 1 >= stream_frames_) return arrival_ns_;
  const auto frames = static_cast<double>(stream_frames_ - 1 - sample);
  return arrival_ns_ - static_cast<int64_t>(frames / shape_.rate_hz * kNanosPerSecond);
}

int64_t StrokeLoop::waiting_since(const signal::TriggerEvent& trigger) const {
  const auto open = find_open(trigger);
  return open == open_.end() ? trigger_time(trigger.sample) : open->stamp.monotonic_ns;
}

StrokeLoop::Open StrokeLoop::open(const signal::TriggerEvent& trigger) {
  const int64_t at = trigger_time(trigger.sample);
  Open open;
  open.trigger = trigger;
  open.stamp.plc_cycle = trigger.cycle.value_or(0);
  open.stamp.monotonic_ns = at;
  open.stamp.wall_ns = parts_.clock.wall_ns() - (parts_.clock.monotonic_ns() - at);
  account_cycle(open.stamp);
  open.opened = parts_.ledger.open_stroke(open.stamp);
  parts_.output.opened(open.opened.stroke_id);
  parts_.counters.strokes.add();
  return open;
}

StrokeLoop::Stroke StrokeLoop::begin(const signal::TriggerEvent& trigger) {
  Stroke stroke;
  if (const auto found = find_open(trigger); found != open_.end()) {
    stroke.stamp = found->stamp;
    stroke.opened = found->opened;
    open_.erase(found);
  } else {
    const Open now = open(trigger);
    stroke.stamp = now.stamp;
    stroke.opened = now.opened;
  }
  stroke.record.stroke_id = stroke.opened.stroke_id;
  stroke.record.plc_cycle = stroke.stamp.plc_cycle;
  stroke.record.trigger_wall_ns = stroke.stamp.wall_ns;
  stroke.record.trigger_monotonic_ns = stroke.stamp.monotonic_ns;
  stroke.record.score = std::numeric_limits<double>::quiet_NaN();
  stroke.record.raw_score = std::numeric_limits<double>::quiet_NaN();
  return stroke;
}

// How many strokes a machine can have made since the last one that was seen.
uint64_t StrokeLoop::most_missed(int64_t now_ns) const {
  if (!cycle_ns_ || options_.max_strokes_per_second <= 0.0) return kMaxMissedCycles;
  const double seconds = static_cast<double>(std::max<int64_t>(0, now_ns - *cycle_ns_)) / kNanosPerSecond;
  const double most = std::min(seconds * options_.max_strokes_per_second, static_cast<double>(kMaxMissedCycles));
  return std::min(kMaxMissedCycles, kMissedAllowance + static_cast<uint64_t>(most));
}

// Strokes that the PLC counted since the last one, and that never reached us, get their records too.
void StrokeLoop::account_cycle(const TriggerStamp& stamp) {
  const uint64_t last = parts_.ledger.last_cycle();
  const uint64_t most = most_missed(stamp.monotonic_ns);
  if (stamp.plc_cycle != 0) cycle_ns_ = stamp.monotonic_ns;
  if (stamp.plc_cycle == 0 || last == 0 || stamp.plc_cycle == last + 1) return;
  if (stamp.plc_cycle <= last) {
    (stamp.plc_cycle == last ? parts_.counters.cycle_repeats : parts_.counters.cycle_resets).add();
    return;
  }
  const uint64_t missed = stamp.plc_cycle - last - 1;
  if (missed > most) {
    parts_.counters.cycle_resyncs.add();
    return;
  }
  TriggerStamp first = stamp;
  first.plc_cycle = last + 1;
  parts_.ledger.add_run(model::Reason::kMissed, first, missed);
  parts_.counters.cycles_missed.add(missed);
  parts_.counters.strokes.add(missed);
  parts_.counters.verdicts[static_cast<size_t>(model::Verdict::kNoVerdict)].add(missed);
  parts_.counters.reasons[static_cast<size_t>(model::Reason::kMissed)].add(missed);
}

bool StrokeLoop::late(int64_t triggered_ns) const {
  return parts_.clock.monotonic_ns() - triggered_ns > options_.deadline_ns;
}

// From the window to the record. Where `cut` is null the samples never came, and `reason` says why.
void StrokeLoop::finish(Stroke& stroke, const signal::WindowCutter::Cut* cut, model::Reason reason) {
  model::StrokeRecord& record = stroke.record;
  if (!stroke.opened.kept) {
    record.reason = model::Reason::kOverload;
  } else {
    record.reason = cut == nullptr ? reason : examine(stroke, *cut);
  }
  if (record.reason != model::Reason::kNone) record.verdict = model::Verdict::kNoVerdict;
  conclude(stroke);
  if (stroke.opened.kept) parts_.ledger.decide(stroke.opened, record);
  parts_.writer.wake();
  if (cut != nullptr && !cut->torn && parts_.watcher != nullptr) parts_.watcher->decided(record, cut->window);
}

// Everything that forbids a verdict, in the order in which it is known.
model::Reason StrokeLoop::examine(Stroke& stroke, const signal::WindowCutter::Cut& cut) {
  if (cut.torn) {
    stroke.record.sensor_fault = signal::SensorFault::kGap;
    return model::Reason::kSamplesLost;
  }
  if (stream_fault_ != signal::SensorFault::kNone) {
    stroke.record.sensor_fault = stream_fault_;
    return model::Reason::kSensorFault;
  }
  const bool has_references = judge_ && !judge_->facts().health.empty();
  const auto finding =
      signal::check_health(cut.window, has_references ? std::span(judge_->facts().health) : std::span(no_references_));
  if (finding.fault != signal::SensorFault::kNone) {
    stroke.record.sensor_fault = finding.fault;
    stroke.record.sensor_channel = static_cast<uint8_t>(finding.channel);
    return model::Reason::kSensorFault;
  }
  if (!judge_) {
    if (expects_judge_.load(std::memory_order_relaxed)) return model::Reason::kStarting;
    if (parts_.collector != nullptr) parts_.collector->collect(cut.window);
    return model::Reason::kNoModel;
  }
  if (late(stroke.stamp.monotonic_ns)) return model::Reason::kDeadline;
  return judge(stroke, cut.window);
}

model::Reason StrokeLoop::judge(Stroke& stroke, const signal::Window& window) {
  const JudgeFacts& facts = judge_->facts();
  Judgement judgement;
  model::StrokeRecord& record = stroke.record;
  record.model = facts.digest;
  record.provider = facts.provider;
  record.threshold = facts.threshold.threshold;
  const bool judged = judge_->judge(window, judgement);
  if (!judged || !std::isfinite(judgement.raw)) {
    parts_.counters.model_failure.put(judged ? "the score is not a finite number" : judge_->error());
    return model::Reason::kModelError;
  }
  record.raw_score = judgement.raw;
  record.score = facts.threshold.score01(judgement.raw);
  record.is_alert = facts.threshold.is_alert(judgement.raw);
  record.severity = facts.threshold.severity(judgement.raw);
  record.top = model::top_features(judgement.contributions);
  // Late numbers are kept for whoever looks for the cause, but they are no verdict.
  if (late(stroke.stamp.monotonic_ns)) return model::Reason::kDeadline;
  record.verdict = record.is_alert ? model::Verdict::kNoGo : model::Verdict::kGo;
  return model::Reason::kNone;
}

// Alarm, trend and output. The clock is read after the output was driven: a verdict that came too late there is taken
// back, so that no record says GO for an output that was set after the deadline, and alarm and trend never saw it.
void StrokeLoop::conclude(Stroke& stroke) {
  model::StrokeRecord& record = stroke.record;
  const bool stopped_before = stopped_;
  const auto drive = [&] {
    record.alarm_active = alarm_.active();
    stopped_ = decide_stop(options_.policy, record.verdict, record.alarm_active, stopped_before);
    parts_.output.drive({.stroke_id = record.stroke_id,
                         .plc_cycle = record.plc_cycle,
                         .verdict = record.verdict,
                         .stop = stopped_,
                         .alarm = record.alarm_active,
                         .reason = record.reason,
                         .severity = record.severity,
                         .sensor_fault = record.sensor_fault,
                         .score = record.score});
  };
  const Alarm alarm_before = alarm_;
  if (record.verdict != model::Verdict::kNoVerdict) {
    alarm_.stroke(record.score, record.is_alert, stroke.stamp.monotonic_ns);
  }
  drive();
  int64_t now = parts_.clock.monotonic_ns();
  if (record.verdict != model::Verdict::kNoVerdict && now - stroke.stamp.monotonic_ns > options_.deadline_ns) {
    record.verdict = model::Verdict::kNoVerdict;
    record.reason = model::Reason::kDeadline;
    alarm_ = alarm_before;
    drive();
    now = parts_.clock.monotonic_ns();
  }
  parts_.ledger.keep_alarm(alarm_.memory());
  if (record.verdict != model::Verdict::kNoVerdict) record.trend = trend_.stroke(record.raw_score, record.threshold);
  record.output_stop = stopped_;
  last_verdict_ = record.verdict;
  record.latency_ns = now - stroke.stamp.monotonic_ns;
  count(record, now);
}

void StrokeLoop::count(const model::StrokeRecord& record, int64_t now_ns) {
  LoopCounters& counters = parts_.counters;
  if (record.verdict != model::Verdict::kNoVerdict) {
    counters.last_score.store(record.score, std::memory_order_relaxed);
    counters.trend_rising.store(record.trend.rising, std::memory_order_relaxed);
    counters.strokes_left.set(record.trend.strokes_left);
    counters.inference_ms.observe(static_cast<double>(now_ns - arrival_ns_) * 1e-6);
  }
  counters.latency.add(record.latency_ns);
  counters.deciding.add(now_ns - arrival_ns_);
  counters.verdicts[static_cast<size_t>(record.verdict)].add();
  counters.reasons[static_cast<size_t>(record.reason)].add();
  counters.alarms_raised.set(alarm_.raised());
  counters.alarms_suppressed.set(alarm_.suppressed());
  counters.alarm_state.store(alarm_.state(), std::memory_order_relaxed);
}

void StrokeLoop::beat(int64_t now_ns) {
  if (now_ns < next_beat_ns_) return;
  next_beat_ns_ = now_ns + kHeartbeatNs;
  const bool stood = alarm_.active();
  alarm_.tick(now_ns);
  const bool acknowledged = acknowledge_.exchange(false, std::memory_order_relaxed);
  if (parts_.output.take_alarm_ack() || acknowledged) alarm_.acknowledge();
  const int64_t shelve = shelve_ns_.exchange(kNothingAsked, std::memory_order_relaxed);
  if (shelve == 0) {
    alarm_.end_shelf(now_ns);
  } else if (shelve != kNothingAsked) {
    alarm_.shelve(now_ns + shelve);
  }
  if (alarm_.active() != stood) tell_alarm();
  parts_.ledger.keep_alarm(alarm_.memory());
  parts_.counters.alarm_state.store(alarm_.state(), std::memory_order_relaxed);
  parts_.output.heartbeat(++beats_);
  if (parts_.pulse != nullptr) parts_.pulse->pulse(now_ns);
}

// A press that stands still because of an alarm must not need a stroke to hear that it is gone.
void StrokeLoop::tell_alarm() {
  const bool judged_last = last_verdict_ != model::Verdict::kNoVerdict;
  if (options_.policy.stop_on_alarm && (alarm_.active() || judged_last)) stopped_ = alarm_.active();
  parts_.output.stands(stopped_, alarm_.active());
}

void StrokeLoop::take_offered() {
  if (offered_.load(std::memory_order_relaxed) == nullptr || retired_.load(std::memory_order_acquire) != nullptr)
    return;
  Judge* next = offered_.exchange(nullptr, std::memory_order_acq_rel);
  if (next == nullptr) return;
  Judge* before = judge_.release();
  judge_.reset(next);
  if (before != nullptr) {
    if (before->facts().digest != next->facts().digest) trend_.reset();  // another rung scores alike
    parts_.counters.judge_swaps.add();
  }
  retired_.store(before, std::memory_order_release);
}

void StrokeLoop::offer(std::unique_ptr<Judge> judge) {
  delete offered_.exchange(judge.release(), std::memory_order_acq_rel);
}

std::unique_ptr<Judge> StrokeLoop::retired() {
  return std::unique_ptr<Judge>(retired_.exchange(nullptr, std::memory_order_acq_rel));
}

}  // namespace millwright::edge
