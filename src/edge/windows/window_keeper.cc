// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_keeper.h"

#include <pthread.h>

#include <algorithm>

namespace millwright::edge {

WindowKeeper::WindowKeeper(WindowRing& ring, std::unique_ptr<WindowStore> store, const WindowsConfig& config, Look look)
    : ring_(ring), store_(std::move(store)), config_(config), look_(std::move(look)) {}

WindowKeeper::~WindowKeeper() { finish(); }

void WindowKeeper::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "windows");
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      changed_.wait(lock, [this] { return notified_ || stopping_; });
      notified_ = false;
      lock.unlock();
      drain();
      lock.lock();
    }
  });
}

void WindowKeeper::notify() {
  const std::lock_guard lock(mutex_);
  notified_ = true;
  changed_.notify_one();
}

void WindowKeeper::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  drain();
}

void WindowKeeper::drain() {
  ring_.drain([this](const model::StrokeRecord& record, std::span<const float> samples) {
    if (look_) look_(samples);
    if (store_) take(record, samples);
  });
}

void WindowKeeper::take(const model::StrokeRecord& record, std::span<const float> samples) {
  // What had no verdict says nothing of the process: a sensor was at fault, or there was no model.
  if (record.verdict == model::Verdict::kNoVerdict) return;
  if (record.is_alert) {
    const uint64_t in_a_row = alerts_in_a_row_++;
    for (const Recent& before : recent_) keep(before.record, before.samples, KeptFor::kAround);
    recent_.clear();
    after_ = config_.around;
    if (in_a_row < kAlertsInARow || in_a_row % kThinned == 0) keep(record, samples, KeptFor::kAlert);
    return;
  }
  alerts_in_a_row_ = 0;
  if (after_ > 0) {
    --after_;
    keep(record, samples, KeptFor::kAround);
  } else if (config_.normal_every > 0 && record.stroke_id % config_.normal_every == 0) {
    keep(record, samples, KeptFor::kNormal);
  } else {
    remember(record, samples);
  }
}

void WindowKeeper::remember(const model::StrokeRecord& record, std::span<const float> samples) {
  if (config_.around == 0) return;
  if (recent_.size() < config_.around) {
    recent_.push_back({.record = record, .samples = {samples.begin(), samples.end()}});
    return;
  }
  std::ranges::rotate(recent_, recent_.begin() + 1);
  recent_.back().record = record;
  std::ranges::copy(samples, recent_.back().samples.begin());
}

// A disk that refuses is counted by the store; strokes go on.
void WindowKeeper::keep(const model::StrokeRecord& record, std::span<const float> samples, KeptFor why) {
  (void)store_->keep(record, samples, why);
}

}  // namespace millwright::edge
