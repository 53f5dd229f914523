// SPDX-License-Identifier: Apache-2.0
#include "lab/clip_range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;

constexpr std::array kNames = {"minmax"sv, "entropy"sv, "percentile"sv, "mse"sv};
constexpr double kSteps = 255.0;
constexpr size_t kFewestBins = 128;  // a range is never cut to less
constexpr size_t kStride = 8;        // bins between two cuts that are tried

// Bins [begin, end) of a histogram are kept, what lies beyond is clipped to its ends.
struct Cut {
  size_t begin;
  size_t end;
};

// Rounding spreads an error evenly over a step; clipping costs the whole distance.
double squared_error(const Histogram& histogram, const Cut& cut) {
  const double width = histogram.width();
  const double low = histogram.low + width * static_cast<double>(cut.begin);
  const double high = histogram.low + width * static_cast<double>(cut.end);
  const double step = (high - low) / kSteps;
  double sum = 0.0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] == 0) continue;
    const double centre = histogram.low + width * (static_cast<double>(i) + 0.5);
    const double beyond = i < cut.begin ? low - centre : i >= cut.end ? centre - high : 0.0;
    sum += static_cast<double>(histogram.counts[i]) * (beyond > 0.0 ? beyond * beyond : step * step / 12.0);
  }
  return sum;
}

// Migacz, "8-bit Inference with TensorRT" (GTC 2017): the distribution with its outliers put into the outermost bins
// that are kept, against the one that is told in steps, each step's count spread over those of its bins that hold
// something.
double divergence(const Histogram& histogram, const Cut& cut) {
  const size_t bins = cut.end - cut.begin;
  std::vector<double> reference(histogram.counts.begin() + static_cast<std::ptrdiff_t>(cut.begin),
                                histogram.counts.begin() + static_cast<std::ptrdiff_t>(cut.end));
  const std::vector<double> kept = reference;
  const auto sum = [&](size_t from, size_t to) {
    double total = 0.0;
    for (size_t i = from; i < to; ++i) total += static_cast<double>(histogram.counts[i]);
    return total;
  };
  reference.front() += sum(0, cut.begin);
  reference.back() += sum(cut.end, histogram.counts.size());
  std::vector<double> told(bins, 0.0);
  const auto levels = static_cast<size_t>(kSteps) + 1;
  for (size_t level = 0; level < levels; ++level) {
    const size_t from = level * bins / levels;
    const size_t to = (level + 1) * bins / levels;
    double count = 0.0;
    size_t filled = 0;
    for (size_t i = from; i < to; ++i) {
      count += kept[i];
      filled += reference[i] > 0.0 ? 1 : 0;
    }
    for (size_t i = from; i < to; ++i) {
      if (reference[i] > 0.0) told[i] = count / static_cast<double>(filled);
    }
  }
  const double reference_sum = std::accumulate(reference.begin(), reference.end(), 0.0);
  const double told_sum = std::accumulate(told.begin(), told.end(), 0.0);
  if (reference_sum <= 0.0 || told_sum <= 0.0) return std::numeric_limits<double>::infinity();
  constexpr double kLeast = 1e-12;  // what was clipped into an empty bin is told as nothing
  double sum_of_logs = 0.0;
  for (size_t i = 0; i < bins; ++i) {
    if (reference[i] <= 0.0) continue;
    const double p = reference[i] / reference_sum;
    sum_of_logs += p * std::log(p / std::max(told[i] / told_sum, kLeast));
  }
  return sum_of_logs;
}

template <typename Cost>
Cut best_cut(const Histogram& histogram, const Cost& cost) {
  const size_t bins = histogram.counts.size();
  // 0 stays inside.
  const double zero = std::clamp(-histogram.low / histogram.width(), 0.0, static_cast<double>(bins));
  const auto least_end = std::max(kFewestBins, static_cast<size_t>(std::ceil(zero)));
  const auto most_begin = std::min(bins - kFewestBins, static_cast<size_t>(std::floor(zero)));
  Cut best{0, bins};
  double least = cost(histogram, best);
  const auto consider = [&](const Cut& cut) {
    if (cut.end < cut.begin + kFewestBins) return;
    const double found = cost(histogram, cut);
    if (found >= least) return;
    least = found;
    best = cut;
  };
  // One end after the other: a joint search gains little over two rounds of it.
  for (int round = 0; round < 2; ++round) {
    const size_t begin = best.begin;
    for (size_t end = bins; end >= least_end && end >= kStride; end -= kStride) consider({begin, end});
    const size_t end = best.end;
    for (size_t first = 0; first <= most_begin; first += kStride) consider({first, end});
  }
  return best;
}

Cut percentile_cut(const Histogram& histogram, double percentile) {
  const uint64_t all = std::accumulate(histogram.counts.begin(), histogram.counts.end(), histogram.zeros);
  const auto outside = static_cast<uint64_t>(std::floor(static_cast<double>(all) * (1.0 - percentile / 100.0)));
  Cut cut{0, histogram.counts.size()};
  for (uint64_t seen = 0; cut.end > 1; --cut.end) {
    seen += histogram.counts[cut.end - 1];
    if (seen > outside) break;
  }
  for (uint64_t seen = 0; cut.begin + 1 < cut.end; ++cut.begin) {
    seen += histogram.counts[cut.begin];
    if (seen > outside) break;
  }
  return cut;
}

}  // namespace

std::string_view name(CalibrationMethod method) { return kNames[static_cast<size_t>(method)]; }

std::optional<CalibrationMethod> calibration_method(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<CalibrationMethod>(found - kNames.begin());
}

void Histogram::add(float value) {
  if (value == 0.0F) {
    ++zeros;
    return;
  }
  const double place = (static_cast<double>(value) - low) / (high - low) * static_cast<double>(counts.size());
  ++counts[static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(counts.size() - 1)))];
}

Range clip_range(const Histogram& histogram, CalibrationMethod method, double percentile) {
  const auto with_zero = [](double low, double high) {
    return Range{static_cast<float>(std::min(low, 0.0)), static_cast<float>(std::max(high, 0.0))};
  };
  const auto all = std::accumulate(histogram.counts.begin(), histogram.counts.end(), uint64_t{0});
  if (method == CalibrationMethod::kMinMax || all == 0 || !(histogram.high > histogram.low)) {
    return with_zero(histogram.low, histogram.high);
  }
  const Cut cut = method == CalibrationMethod::kEntropy ? best_cut(histogram, divergence)
                  : method == CalibrationMethod::kMse   ? best_cut(histogram, squared_error)
                                                        : percentile_cut(histogram, percentile);
  const double width = histogram.width();
  return with_zero(
      histogram.low + width * static_cast<double>(cut.begin),
      cut.end == histogram.counts.size() ? histogram.high : histogram.low + width * static_cast<double>(cut.end));
}

}  // namespace millwright::lab
