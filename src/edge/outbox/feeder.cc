// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/feeder.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "edge/event_log.h"

namespace millwright::edge {
namespace {

constexpr size_t kBatchLines = 512;
// A press that strikes a hundred times a second is asked for its last ten seconds.
constexpr uint64_t kLookBack = 1000;
constexpr size_t kBatchBytes = 256 << 10;
constexpr int kIdleMs = 1000;
constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kFirstRetryNs = 500 * kNanosPerMilli;
constexpr int64_t kLongestRetryNs = 30'000 * kNanosPerMilli;

}  // namespace

Feeder::Feeder(Outbox& outbox, std::vector<FeedSource> sources, const Clock& clock)
    : outbox_(outbox), clock_(clock), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
  for (FeedSource& source : sources) {
    auto one = std::make_unique<Source>();
    one->durable = source.durable_id;
    one->source = std::move(source);
    sources_.push_back(std::move(one));
  }
}

Feeder::~Feeder() { finish(); }

void Feeder::note(size_t index, uint64_t stroke_id) noexcept {
  Source& source = *sources_[index];
  if (source.first_noted.load(std::memory_order_relaxed) == 0) source.first_noted = stroke_id;
  source.durable.store(stroke_id, std::memory_order_release);
  const uint64_t one = 1;
  // Full means that the feeder is being woken already.
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

void Feeder::start() {
  thread_ = std::thread([this] { run(); });
}

void Feeder::finish() {
  if (!thread_.joinable()) return;
  finish_by_ns_ = clock_.monotonic_ns() + kFinishNs;
  stopping_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
  thread_.join();
}

void Feeder::run() {
  int64_t retry_ns = kFirstRetryNs;
  while (true) {
    const auto fed = feed();
    // What is left waits in the journal for the next start.
    if (stopping_ && (!fed || *fed == 0 || clock_.monotonic_ns() >= finish_by_ns_)) return;
    if (fed && *fed > 0) continue;
    pollfd event{.fd = event_.get(), .events = POLLIN, .revents = 0};
    if (fed) {
      retry_ns = kFirstRetryNs;
      ::poll(&event, 1, kIdleMs);
    } else {
      // New strokes do not hurry a disk that is full: only the end does.
      const int64_t until = clock_.monotonic_ns() + retry_ns;
      constexpr int kLookMs = 100;
      while (!stopping_ && clock_.monotonic_ns() < until) ::poll(nullptr, 0, kLookMs);
      retry_ns = std::min(2 * retry_ns, kLongestRetryNs);
    }
    uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t n = ::read(event_.get(), &ignored, sizeof(ignored));
  }
}

Result<uint64_t> Feeder::feed() {
  Result<uint64_t> total = uint64_t{0};
  if (!outbox_.is_open()) {
    // What was on its way when it closed may be there or not; it is asked anew.
    for (const auto& source : sources_) source->reader.reset();
    if (const Status opened = outbox_.open(); !opened) total = std::unexpected(opened.error());
  }
  // One asset's bad journal does not keep the others from being fed.
  for (size_t i = 0; outbox_.is_open() && i < sources_.size(); ++i) {
    Source& source = *sources_[i];
    if (clock_.monotonic_ns() < source.paused_until_ns) continue;
    const auto fed = feed_source(source);
    if (fed) *total += *fed;
    if (!fed && !outbox_.is_open()) total = std::unexpected(fed.error());
    settle(source, fed ? Status() : std::unexpected(fed.error()));
  }
  const std::lock_guard lock(mutex_);
  if (!total) ++figures_.failures;
  figures_.last_error = total ? std::string() : total.error().message;
  for (const auto& source : sources_) {
    if (figures_.last_error.empty() && !source->state) figures_.last_error = source->state.error().message;
  }
  return total;
}

void Feeder::settle(Source& source, const Status& fed) {
  source.state = fed;
  if (fed) {
    source.pause_ns = 0;
    return;
  }
  source.reader.reset();
  // The outbox has a pause of its own.
  if (!outbox_.is_open()) return;
  source.pause_ns = std::clamp(2 * source.pause_ns, kFirstRetryNs, kLongestRetryNs);
  source.paused_until_ns = clock_.monotonic_ns() + source.pause_ns;
}

// What somebody should look at: a score at or above the threshold, an alarm that was raised or ended, a sensor that
// became faulty, faulty in another way, or good again. A fault or a latched alarm that merely lasts is not told with
// every stroke: it would fill the ring of alerts over a weekend.
bool Feeder::is_alert(Source& source, const model::StrokeRecord& record) const {
  const bool alarm_changed = record.alarm_active != source.alarm;
  const bool judged = record.verdict != model::Verdict::kNoVerdict;
  // A stroke without a verdict for another reason says nothing about the sensor.
  const bool knows_sensor = judged || record.reason == model::Reason::kSensorFault;
  const bool fault_changed = knows_sensor && record.sensor_fault != source.fault;
  source.alarm = record.alarm_active;
  if (knows_sensor) source.fault = record.sensor_fault;
  return record.is_alert || alarm_changed || fault_changed;
}

// Somebody removed an asset's folder and kept the outbox: its strokes are counted from 1 again, and waiting for those
// above the mark would be waiting for weeks. A count that goes on, even with a gap, is above the mark.
Status Feeder::check_counting(Source& source) {
  if (source.counting_known) return {};
  if (!source.mark) source.mark = outbox_.highest_stroke(source.source.asset, Stream::kScores);
  const uint64_t first = source.first_noted.load(std::memory_order_acquire);
  if (first == 0) return {};
  if (first <= *source.mark) {
    MW_CHECK_OK(outbox_.count_anew(source.source.asset));
    log_event(Level::kWarning, "journal_begins_anew",
              {{"asset_id", source.source.asset}, {"stroke_id", first}, {"fed_up_to", *source.mark}});
    source.reader.reset();
  }
  source.counting_known = true;
  return {};
}

Result<uint64_t> Feeder::feed_source(Source& source) {
  MW_CHECK_OK(check_counting(source));
  if (!source.reader) {
    source.last = outbox_.highest_stroke(source.source.asset, Stream::kScores);
    source.alarm = false;
    source.fault = signal::SensorFault::kNone;
    // Those that were fed last say what stood then; strokes without a verdict may not.
    const uint64_t from = source.last > kLookBack ? source.last - kLookBack : 1;
    source.reader = std::make_unique<JournalReader>(source.source.records, from);
  }
  const uint64_t durable = source.durable.load(std::memory_order_acquire);
  const auto lines = MW_TRY(source.reader->read(durable, kBatchLines, kBatchBytes));
  std::vector<Message> messages;
  FeederFigures found;
  uint64_t last = source.last;
  for (const JournalLine& line : lines) {
    const auto record = model::parse_json_line(line.text);
    if (!record) {
      if (line.stroke_id > source.last) ++found.unreadable;
      continue;
    }
    const bool alert = is_alert(source, *record);
    if (line.stroke_id <= source.last) continue;
    if (last > 0) found.missing += line.stroke_id - last - 1;
    last = line.stroke_id;
    messages.push_back({.stream = Stream::kScores,
                        .asset = source.source.asset,
                        .stroke_id = line.stroke_id,
                        .wall_ns = clock_.wall_ns(),
                        .payload = line.text});
    ++found.scores;
    if (!alert) continue;
    messages.push_back(messages.back());
    messages.back().stream = Stream::kAlerts;
    ++found.alerts;
  }
  if (!messages.empty()) (void)MW_TRY(outbox_.append(messages));
  source.last = last;
  const std::lock_guard lock(mutex_);
  figures_.scores += found.scores;
  figures_.alerts += found.alerts;
  figures_.missing += found.missing;
  figures_.unreadable += found.unreadable;
  return lines.size();
}

FeederFigures Feeder::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

}  // namespace millwright::edge
