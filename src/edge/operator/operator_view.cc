// SPDX-License-Identifier: Apache-2.0
#include "edge/operator/operator_view.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include <nlohmann/json.hpp>

#include "signal/fft.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr size_t kMostTransformed = 1 << 14;
constexpr float kQuietestDb = -160.0F;

double rounded(double value, double step) { return std::round(value / step) * step; }

json number(double value) { return std::isfinite(value) ? json(value) : json(); }

// Three digits that count are more than a screen can show.
json points_json(std::span<const float> values) {
  float largest = 0.0F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  const double step = largest > 0.0F ? std::pow(10.0, std::floor(std::log10(static_cast<double>(largest))) - 3.0) : 1.0;
  json list = json::array();
  for (const float value : values) list.push_back(rounded(static_cast<double>(value), step));
  return list;
}

}  // namespace

std::vector<float> thin_out(std::span<const float> samples, size_t points) {
  if (samples.size() <= points) return {samples.begin(), samples.end()};
  std::vector<float> thin;
  const size_t pieces = points / 2;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t from = i * samples.size() / pieces;
    const auto piece = samples.subspan(from, (i + 1) * samples.size() / pieces - from);
    const auto [low, high] = std::ranges::minmax_element(piece);
    // In the order in which they came, so that a line through them has the right slope.
    thin.push_back(low < high ? *low : *high);
    thin.push_back(low < high ? *high : *low);
  }
  return thin;
}

std::vector<float> spectrum_db(std::span<const float> samples, size_t bins) {
  samples = samples.first(std::min(samples.size(), kMostTransformed));
  if (samples.size() < 16) return {};
  const size_t size = std::bit_ceil(samples.size());
  const auto fft = signal::Fft::create(size, signal::Direction::kForward);
  if (!fft) return {};
  signal::Buffer<signal::Complex> in(size);
  signal::Buffer<signal::Complex> out(size);
  const double turn = 2.0 * std::numbers::pi / static_cast<double>(samples.size() - 1);
  for (size_t i = 0; i < samples.size(); ++i) {
    in[i] = samples[i] * static_cast<float>(0.5 - 0.5 * std::cos(turn * static_cast<double>(i)));
  }
  fft->run(in, out);
  const size_t half = size / 2;
  bins = std::min(bins, half);
  const float scale = 4.0F / static_cast<float>(samples.size());  // a sine's amplitude, the window's mean of 0.5 undone
  std::vector<float> db;
  for (size_t b = 0; b < bins; ++b) {
    float largest = 0.0F;
    for (size_t k = b * half / bins; k < (b + 1) * half / bins; ++k) largest = std::max(largest, std::abs(out[k]));
    db.push_back(std::max(kQuietestDb, 20.0F * std::log10(std::max(largest * scale, 1e-12F))));
  }
  return db;
}

OperatorView::OperatorView(const AssetConfig& asset) : asset_id_(asset.id), window_(asset.window) {}

void OperatorView::stroke(const model::StrokeRecord& record) {
  const std::lock_guard lock(mutex_);
  last_ = record;
  const bool judged = record.verdict != model::Verdict::kNoVerdict;
  scores_.push_back(judged ? record.score : std::numeric_limits<double>::quiet_NaN());
  if (scores_.size() > kShownScores) scores_.pop_front();
  if (judged && record.is_alert) last_alert_ = record.stroke_id;
}

void OperatorView::window(std::span<const float> planar) {
  const auto first_channel = planar.first(std::min(planar.size(), window_.length));
  std::vector<float> waveform = thin_out(first_channel, kShownPoints);
  std::vector<float> spectrum = window_.rate_hz > 0.0 ? spectrum_db(first_channel, kShownBins) : std::vector<float>();
  const std::lock_guard lock(mutex_);
  waveform_ = std::move(waveform);
  spectrum_db_ = std::move(spectrum);
}

uint64_t OperatorView::last_alert() const {
  const std::lock_guard lock(mutex_);
  return last_alert_;
}

std::optional<model::StrokeRecord> OperatorView::last_stroke() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::string OperatorView::json(std::string_view line, const LoopCounters& counters, uint64_t pending,
                               int64_t now_ns) const {
  const AlarmState alarm = counters.alarm_state.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  nlohmann::json scores = nlohmann::json::array();
  for (const double score : scores_) scores.push_back(number(rounded(score, 1e-4)));
  const nlohmann::json view = {
      {"asset_id", asset_id_},
      {"alarm_state", name(alarm)},
      {"can_acknowledge", alarm == AlarmState::kUnacknowledged || alarm == AlarmState::kReturnUnacknowledged},
      {"records_pending", pending},
      {"last_alert_id", last_alert_},
      {"scores", scores},
      {"window_ms", window_.rate_hz > 0.0 ? 1e3 * static_cast<double>(window_.length) / window_.rate_hz : 0.0},
      {"stroke_age_s",
       last_ ? nlohmann::json(static_cast<double>(now_ns - last_->trigger_monotonic_ns) * 1e-9) : nlohmann::json()},
      {"nyquist_hz", window_.rate_hz / 2.0},
      {"waveform", points_json(waveform_)},
      {"spectrum", points_json(spectrum_db_)}};
  const std::string_view record = line.empty() ? "null" : line.substr(0, line.find('\n'));
  return fmt::format(R"({{"record":{},{})", record, std::string_view(view.dump()).substr(1));
}

}  // namespace millwright::edge
