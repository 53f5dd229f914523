// SPDX-License-Identifier: Apache-2.0
#include "edge/simulated_press.h"

#include <algorithm>
#include <cmath>

namespace millwright::edge {
namespace {

constexpr size_t kQuietFrames = 1'000;
constexpr double kNanosPerSecond = 1e9;

}  // namespace

Result<std::unique_ptr<SimulatedPress>> SimulatedPress::create(const SimulatedPressOptions& options,
                                                               const Clock& clock) {
  const size_t margin = std::max<size_t>(options.press.length / 4, 16);
  const size_t stroke = options.press.length + 2 * margin;
  const double period = options.press.rate_hz * 60.0 / options.strokes_per_minute;
  if (period < static_cast<double>(stroke)) {
    return fail(
        ErrorCode::kInvalidInput,
        "simulated press: a stroke of {} samples at {} Hz does not fit into {} strokes per minute; at most {:.0f}",
        stroke, options.press.rate_hz, options.strokes_per_minute,
        std::floor(options.press.rate_hz * 60.0 / static_cast<double>(stroke)));
  }
  return std::unique_ptr<SimulatedPress>(
      new SimulatedPress(options, clock, margin, options.fast ? stroke : static_cast<size_t>(period)));
}

SimulatedPress::SimulatedPress(const SimulatedPressOptions& options, const Clock& clock, size_t margin, size_t period)
    : options_(options), clock_(clock), signal_(options.press), margin_(margin), period_(period) {
  const size_t frames = std::max(options.press.length + 2 * margin, kQuietFrames);
  stroke_.resize(options.press.channels * (options.press.length + 2 * margin));
  block_.resize(options.press.channels * frames);
}

// Makes the next block in block_. False: the last stroke is over.
bool SimulatedPress::prepare(size_t max_frames) {
  const size_t stroke_frames = options_.press.length + 2 * margin_;
  if (position_ == period_) position_ = 0;
  if (position_ == 0) {
    if (options_.strokes != 0 && done_ == options_.strokes) return false;
    signal_.stroke(options_.first_stroke + done_, margin_, stroke_);
    ++done_;
  }
  has_event_ = false;
  if (position_ >= stroke_frames) {
    ready_ = std::min({period_ - position_, kQuietFrames, max_frames});
    signal_.quiet(options_.first_stroke + done_ - 1, position_, ready_, block_);
    return true;
  }
  // In real time a stroke comes in pieces of 10 ms, as a converter would hand them over.
  // Played fast it comes in two: to its end, and what follows.
  const size_t end = margin_ + options_.press.length;
  const auto piece = options_.fast ? (position_ < end ? end - position_ : stroke_frames - position_)
                                   : static_cast<size_t>(options_.press.rate_hz / 100.0) + 1;
  ready_ = std::min({stroke_frames - position_, piece, max_frames});
  for (size_t c = 0; c < options_.press.channels; ++c) {
    std::copy_n(stroke_.begin() + static_cast<ptrdiff_t>(c * stroke_frames + position_), ready_,
                block_.begin() + static_cast<ptrdiff_t>(c * ready_));
  }
  has_event_ = position_ <= margin_ && margin_ < position_ + ready_;
  if (has_event_) event_ = {.sample = margin_ - position_, .cycle = options_.first_stroke + done_ - 1};
  return true;
}

// When the stroke at hand may come, played fast at a pace.
int64_t SimulatedPress::earliest_ns() const {
  const double minutes = static_cast<double>(done_ - 1) / options_.fast_strokes_per_minute;
  return started_ns_ + static_cast<int64_t>(minutes * 60.0 * kNanosPerSecond);
}

Block SimulatedPress::next(size_t max_frames, int64_t until_ns) {
  if (waiter_.stopped()) return {.kind = Block::Kind::kStopped};
  if (started_ns_ < 0) started_ns_ = clock_.monotonic_ns();
  if (ready_ == 0 && !prepare(max_frames)) return {.kind = Block::Kind::kEnd};
  int64_t arrival = 0;
  if (options_.fast) {
    if (options_.fast_strokes_per_minute > 0.0) {
      if (const auto instead = waiter_.wait_for_samples(clock_, earliest_ns(), until_ns)) return *instead;
    }
    arrival = clock_.monotonic_ns();
  } else {
    arrival = started_ns_ +
              static_cast<int64_t>(static_cast<double>(emitted_ + ready_) / options_.press.rate_hz * kNanosPerSecond);
    if (const auto instead = waiter_.wait_for_samples(clock_, arrival, until_ns)) return *instead;
  }
  Block block{.kind = Block::Kind::kSamples, .frames = ready_, .arrival_ns = arrival};
  block.planar = std::span<const float>(block_).first(options_.press.channels * ready_);
  if (has_event_) block.events = std::span(&event_, 1);
  position_ += ready_;
  emitted_ += ready_;
  counters_.frames.store(emitted_, std::memory_order_relaxed);
  ready_ = 0;
  return block;
}

}  // namespace millwright::edge
