// SPDX-License-Identifier: Apache-2.0
#include "edge/features/feature_summary.h"

#include <algorithm>
#include <cmath>

#include "signal/vectorised.h"

namespace millwright::edge {
namespace {

MW_VECTORISED void gather(const float* __restrict row, const float* __restrict first, size_t count,
                          double* __restrict sum, double* __restrict square, float* __restrict low,
                          float* __restrict high) {
  for (size_t i = 0; i < count; ++i) {
    const float x = row[i];
    const auto difference = static_cast<double>(x - first[i]);
    sum[i] += difference;
    square[i] += difference * difference;
    low[i] = x < low[i] ? x : low[i];
    high[i] = x > high[i] ? x : high[i];
  }
}

}  // namespace

FeatureSummary::FeatureSummary(size_t features) : features_(features) {
  for (Table& table : tables_) {
    table.first.resize(features);
    table.low.resize(features);
    table.high.resize(features);
    table.sum.resize(features);
    table.square.resize(features);
  }
}

void FeatureSummary::add(std::span<const float> row) noexcept {
  if (state_.load(std::memory_order_acquire) == State::kAsked) {
    active_ ^= 1;
    state_.store(State::kReady, std::memory_order_release);
  }
  Table& table = tables_[active_];
  const size_t count = std::min(features_, row.size());
  if (table.strokes++ == 0) {
    std::copy_n(row.begin(), count, table.first.begin());
    std::copy_n(row.begin(), count, table.low.begin());
    std::copy_n(row.begin(), count, table.high.begin());
    return;
  }
  gather(row.data(), table.first.data(), count, table.sum.data(), table.square.data(), table.low.data(),
         table.high.data());
}

std::optional<FeatureStatistics> FeatureSummary::take() {
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::kGathering) state_.store(State::kAsked, std::memory_order_release);
  if (state != State::kReady) return std::nullopt;
  Table& table = tables_[active_ ^ 1];
  FeatureStatistics found{.strokes = table.strokes, .mean = {}, .sd = {}, .low = table.low, .high = table.high};
  const auto n = static_cast<double>(table.strokes);
  for (size_t i = 0; i < features_; ++i) {
    const double mean = n > 0.0 ? table.sum[i] / n : 0.0;
    const double spread = n > 1.0 ? (table.square[i] - n * mean * mean) / (n - 1.0) : 0.0;
    found.mean.push_back(static_cast<double>(table.first[i]) + mean);
    found.sd.push_back(std::isnan(spread) ? spread : std::sqrt(std::max(0.0, spread)));
  }
  table.strokes = 0;
  std::ranges::fill(table.sum, 0.0);
  std::ranges::fill(table.square, 0.0);
  state_.store(State::kGathering, std::memory_order_release);
  return found.strokes == 0 ? std::nullopt : std::optional(std::move(found));
}

}  // namespace millwright::edge
