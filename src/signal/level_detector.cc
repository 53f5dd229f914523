// SPDX-License-Identifier: Apache-2.0
#include "signal/level_detector.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace millwright::signal {

LevelDetector::LevelDetector(const Options& options)
    : threshold_(options.level * options.level * static_cast<double>(options.energy_samples)),
      dead_samples_(options.dead_samples),
      squares_(options.energy_samples) {}

bool LevelDetector::push(float sample, uint64_t at) {
  const double square = std::isfinite(sample) ? static_cast<double>(sample) * sample : 0.0;
  sum_ += square - squares_[next_];
  squares_[next_] = square;
  if (++next_ == squares_.size()) {
    next_ = 0;
    // A running sum keeps the rounding errors of every loud stroke; once a round it is taken anew.
    sum_ = std::accumulate(squares_.begin(), squares_.end(), 0.0);
  }
  const bool was_above = above_;
  above_ = sum_ > threshold_;
  if (!above_ || was_above || (last_ && at - *last_ <= dead_samples_)) return false;
  last_ = at;
  return true;
}

void LevelDetector::interrupt() {
  std::ranges::fill(squares_, 0.0);
  sum_ = 0.0;
  above_ = false;
}

}  // namespace millwright::signal
