// SPDX-License-Identifier: Apache-2.0
#include "signal/trigger.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "signal/feature_spec.h"
#include "signal/level_detector.h"
#include "signal/sample_history.h"

namespace millwright::signal {
namespace {

constexpr size_t kMaxBlock = 4096;

Status check_trigger(const TriggerSpec& spec, size_t channels, size_t length) {
  size_t pre = 0;
  if (const auto* level = std::get_if<LevelTrigger>(&spec)) {
    pre = level->pre_samples;
    if (level->channel >= channels) {
      return fail(ErrorCode::kInvalidInput, "trigger: channel {} does not exist; channels are 0 to {}", level->channel,
                  channels - 1);
    }
    if (!(level->level > 0.0) || !std::isfinite(level->level)) {
      return fail(ErrorCode::kInvalidInput, "trigger: level {} must be above 0", level->level);
    }
    if (level->energy_samples < 1 || level->energy_samples > kMaxWindowLength) {
      return fail(ErrorCode::kInvalidInput, "trigger: energy_samples {} must lie in 1 .. {}", level->energy_samples,
                  kMaxWindowLength);
    }
  } else if (const auto* fixed = std::get_if<FixedTrigger>(&spec)) {
    if (fixed->hop < 1) return fail(ErrorCode::kInvalidInput, "trigger: hop must be at least 1 sample");
  } else {
    pre = std::get<ExternalTrigger>(spec).pre_samples;
  }
  if (pre >= length) {
    return fail(ErrorCode::kInvalidInput, "trigger: pre_samples {} must be below the window's length {}", pre, length);
  }
  return {};
}

}  // namespace

struct WindowCutter::State {
  State(const TriggerSpec& trigger, size_t channel_count, size_t window_length, double rate)
      : channels(channel_count),
        length(window_length),
        rate_hz(rate),
        history(channel_count, window_length + 2 * kMaxBlock),
        window(channel_count * window_length) {
    if (const auto* level = std::get_if<LevelTrigger>(&trigger)) {
      pre = level->pre_samples;
      level_channel = level->channel;
      detector.emplace(LevelDetector::Options{
          .level = level->level, .energy_samples = level->energy_samples, .dead_samples = level->dead_samples});
    } else if (const auto* fixed = std::get_if<FixedTrigger>(&trigger)) {
      hop = fixed->hop;
    } else {
      pre = std::get<ExternalTrigger>(trigger).pre_samples;
    }
    if (hop == 0) queue.reserve(kMaxPending);
  }

  // The stream index one past the last sample of a trigger's window, and whether that has been seen.
  [[nodiscard]] int64_t begin_of(const TriggerEvent& event) const {
    return static_cast<int64_t>(event.sample) - static_cast<int64_t>(pre);
  }
  [[nodiscard]] bool complete(const TriggerEvent& event) const {
    return begin_of(event) + static_cast<int64_t>(length) <= static_cast<int64_t>(history.seen());
  }
  // The first trigger in the queue that waits for samples.
  [[nodiscard]] std::vector<TriggerEvent>::const_iterator first_incomplete() const {
    return std::ranges::find_if(queue, [this](const TriggerEvent& event) { return !complete(event); });
  }
  void add(const TriggerEvent& event);
  [[nodiscard]] uint64_t behind_holes(uint64_t begin) const;

  size_t channels;
  size_t length;
  double rate_hz;
  size_t pre = 0;
  size_t hop = 0;  // above 0: a fixed trigger, which needs no queue
  size_t level_channel = 0;
  std::optional<LevelDetector> detector;
  SampleHistory history;
  std::vector<float> window;        // the one that next() gave out last
  std::vector<TriggerEvent> queue;  // by sample, at most kMaxPending
  uint64_t next_fixed = 0;          // sample of the next fixed trigger
  uint64_t late = 0;
};

void WindowCutter::State::add(const TriggerEvent& event) {
  if (queue.size() == kMaxPending) {
    ++late;
    return;
  }
  const auto place = std::ranges::upper_bound(queue, event.sample, {}, &TriggerEvent::sample);
  queue.insert(place, event);  // within the reserved room
}

// The first begin of a fixed window from `begin` on. One without a single sample is none: a hole may be days long.
uint64_t WindowCutter::State::behind_holes(uint64_t begin) const {
  while (const auto end = history.hole_around(static_cast<int64_t>(begin), length)) {
    const uint64_t first = static_cast<uint64_t>(*end) + 1 - length;  // the first begin whose window leaves the hole
    begin += (first - begin + hop - 1) / hop * hop;
  }
  return begin;
}

WindowCutter::WindowCutter(std::unique_ptr<State> state) : state_(std::move(state)) {}
WindowCutter::~WindowCutter() = default;
WindowCutter::WindowCutter(WindowCutter&&) noexcept = default;
WindowCutter& WindowCutter::operator=(WindowCutter&&) noexcept = default;

Result<WindowCutter> WindowCutter::create(const TriggerSpec& spec, size_t channels, size_t length, double rate_hz) {
  if (channels < 1 || channels > kMaxChannels) {
    return fail(ErrorCode::kInvalidInput, "window: channels {} must lie in 1 .. {}", channels, kMaxChannels);
  }
  if (length < 1 || length > kMaxWindowLength) {
    return fail(ErrorCode::kInvalidInput, "window: length {} must lie in 1 .. {} samples", length, kMaxWindowLength);
  }
  if (!(rate_hz >= 0.0) || !std::isfinite(rate_hz)) {
    return fail(ErrorCode::kInvalidInput, "window: rate {} Hz must be 0 or more", rate_hz);
  }
  MW_CHECK_OK(check_trigger(spec, channels, length));
  return WindowCutter(std::make_unique<State>(spec, channels, length, rate_hz));
}

void WindowCutter::push(std::span<const float> planar, size_t frames, std::span<const TriggerEvent> events) {
  State& s = *state_;
  MW_CHECK(frames <= kMaxBlock && planar.size() >= frames * s.channels, "a block fits and has all its samples");
  const uint64_t begin = s.history.seen();
  if (s.detector) {
    const std::span<const float> channel = planar.subspan(s.level_channel * frames, frames);
    for (size_t i = 0; i < frames; ++i) {
      if (s.detector->push(channel[i], begin + i)) s.add({.sample = begin + i, .cycle = std::nullopt});
    }
  } else if (s.hop == 0) {
    for (const TriggerEvent& event : events) {
      if (event.sample < begin || event.sample > static_cast<uint64_t>(INT64_MAX) / 2) {
        ++s.late;
      } else {
        s.add(event);
      }
    }
  }
  s.history.push(planar, frames);
}

void WindowCutter::push_gap(uint64_t frames) {
  if (frames == 0) return;
  state_->history.push_gap(frames);
  if (state_->detector) state_->detector->interrupt();
}

std::optional<WindowCutter::Cut> WindowCutter::next() {
  State& s = *state_;
  Cut cut;
  if (s.hop > 0) {
    s.next_fixed = s.behind_holes(s.next_fixed);
    cut.trigger.sample = s.next_fixed;
    if (!s.complete(cut.trigger)) return std::nullopt;
    s.next_fixed += s.hop;
  } else {
    if (s.queue.empty() || !s.complete(s.queue.front())) return std::nullopt;
    cut.trigger = s.queue.front();
    s.queue.erase(s.queue.begin());
  }
  cut.torn = !s.history.read(s.begin_of(cut.trigger), s.length, s.window);
  cut.window = {.samples = s.window, .channels = s.channels, .length = s.length, .rate_hz = s.rate_hz};
  return cut;
}

std::optional<TriggerEvent> WindowCutter::waiting(size_t index) const {
  const State& s = *state_;
  if (s.hop == 0) return index < s.queue.size() ? std::optional(s.queue[index]) : std::nullopt;
  uint64_t begin = s.behind_holes(s.next_fixed);
  for (; index > 0 && begin < s.history.seen(); --index) begin = s.behind_holes(begin + s.hop);
  if (begin >= s.history.seen()) return std::nullopt;
  return TriggerEvent{.sample = begin, .cycle = std::nullopt};
}

std::optional<TriggerEvent> WindowCutter::pending() const {
  const State& s = *state_;
  if (s.hop > 0) {
    const TriggerEvent event{.sample = s.next_fixed, .cycle = std::nullopt};
    if (s.complete(event) || event.sample >= s.history.seen()) return std::nullopt;
    return event;
  }
  const auto found = s.first_incomplete();
  return found == s.queue.end() ? std::nullopt : std::optional(*found);
}

void WindowCutter::drop_pending() {
  State& s = *state_;
  if (!pending()) return;
  if (s.hop > 0) {
    s.next_fixed += s.hop;
  } else {
    s.queue.erase(s.first_incomplete());
  }
}

uint64_t WindowCutter::samples_seen() const { return state_->history.seen(); }
uint64_t WindowCutter::late_events() const { return state_->late; }
size_t WindowCutter::max_block() const { return kMaxBlock; }

}  // namespace millwright::signal
