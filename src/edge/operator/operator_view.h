// SPDX-License-Identifier: Apache-2.0
// What the operator's page shows of one machine: the last verdict, the scores before it, the last window and its
// spectrum.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/loop_counters.h"
#include "model/stroke_record.h"

namespace millwright::edge {

inline constexpr size_t kShownScores = 200;
inline constexpr size_t kShownPoints = 600;  // of a waveform: lowest and highest of each of 300 pieces
inline constexpr size_t kShownBins = 256;    // of a spectrum

class OperatorView {
 public:
  explicit OperatorView(const AssetConfig& asset);

  // Any thread. A stroke without a window leaves the last window where it is.
  void stroke(const model::StrokeRecord& record);
  void window(std::span<const float> planar);

  // One line. `counters` gives the alarm as it is now, `pending` what is not yet written. Names in it are what a
  // foreign bundle says: the page must show them as text.
  // `now_ns` is monotonic: the page shows how long ago the last stroke was. `line` is the last record's JSON line, with
  // or without its newline; empty before the first stroke.
  [[nodiscard]] std::string json(std::string_view line, const LoopCounters& counters, uint64_t pending,
                                 int64_t now_ns) const;

  [[nodiscard]] std::optional<model::StrokeRecord> last_stroke() const;

  // The stroke that raised the last alert; 0: none.
  [[nodiscard]] uint64_t last_alert() const;

 private:
  const std::string asset_id_;
  const WindowConfig window_;
  mutable std::mutex mutex_;
  std::optional<model::StrokeRecord> last_;
  std::deque<double> scores_;  // NaN where there was no verdict
  uint64_t last_alert_ = 0;
  std::vector<float> waveform_;
  std::vector<float> spectrum_db_;
};

// The lowest and the highest value of each of points / 2 pieces, in order; everything where there is no more.
std::vector<float> thin_out(std::span<const float> samples, size_t points);

// Magnitudes in dB of a Hann-windowed, zero-padded transform, the largest of each of `bins` pieces from 0 to half the
// rate. Empty for fewer than 16 samples.
std::vector<float> spectrum_db(std::span<const float> samples, size_t bins);

}  // namespace millwright::edge
