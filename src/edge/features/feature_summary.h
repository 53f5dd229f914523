// SPDX-License-Identifier: Apache-2.0
// What an asset's features did over a period, for whoever watches for drift: gathered on the stroke thread, taken by
// another.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace millwright::edge {

struct FeatureStatistics {
  uint64_t strokes = 0;
  // One per feature; not finite where a value was not.
  std::vector<double> mean;
  std::vector<double> sd;  // of the strokes, n - 1; 0 for one stroke
  std::vector<float> low;
  std::vector<float> high;
};

class FeatureSummary {
 public:
  explicit FeatureSummary(size_t features);

  // The stroke thread: adds to sums that are there; neither allocates nor waits.
  void add(std::span<const float> row) noexcept;

  // One other thread. Asks for what was gathered since the last answer; the answer is there after the next stroke, so
  // call it again until it is.
  std::optional<FeatureStatistics> take();

 private:
  // Sums of differences from the period's first row, so that a small spread about a large mean is not rounded away.
  struct Table {
    uint64_t strokes = 0;
    std::vector<float> first, low, high;
    std::vector<double> sum, square;
  };
  enum class State : uint8_t { kGathering, kAsked, kReady };

  const size_t features_;
  std::array<Table, 2> tables_;
  size_t active_ = 0;  // changed by the stroke thread, and only where it was asked
  std::atomic<State> state_{State::kGathering};
};

}  // namespace millwright::edge
