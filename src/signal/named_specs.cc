// SPDX-License-Identifier: Apache-2.0
// The built-in specs, and how `vibration` scales with rate and length.
#include <algorithm>
#include <bit>
#include <cmath>

#include "signal/feature_spec.h"
#include "signal/mel_bank.h"

namespace millwright::signal {
namespace {

constexpr size_t kMinVibrationLength = 64;
constexpr size_t kCurvePoints = 32;

// Bands in Hz for machines: fine where a press's structure rings (200-400 Hz), wider above. Below 1 kHz of bandwidth
// nothing is known about the machine, and equal bands are taken. A band is at least two bins wide.
std::vector<double> band_edges(double rate_hz, double bin_hz) {
  constexpr double kMachineEdges[] = {0,    50,   100,  150,  200,  250,  300,  350,   400,   500,   600,   800,
                                      1000, 1500, 2000, 3000, 4000, 5000, 7500, 10000, 15000, 20000, 30000, 50000};
  constexpr size_t kEqualBands = 12;
  const double nyquist_hz = rate_hz / 2;
  std::vector<double> edges{0.0};
  const auto add = [&](double edge) {
    if (edge >= edges.back() + 2 * bin_hz && edge + 2 * bin_hz <= nyquist_hz) edges.push_back(edge);
  };
  if (nyquist_hz >= 1000.0) {
    for (double edge : kMachineEdges) add(edge);
  } else {
    for (size_t i = 1; i < kEqualBands; ++i) add(nyquist_hz * static_cast<double>(i) / kEqualBands);
  }
  edges.push_back(nyquist_hz);
  return edges;
}

// Frames of about 25 ms, at least six in a window where it is long enough; as many bands, up to 32, as leave none
// empty.
LogMelFeatures mel_features(size_t length, double rate_hz) {
  const size_t wanted = std::bit_floor(static_cast<size_t>(std::clamp(rate_hz * 0.0256, 16.0, 65'536.0)));
  const size_t frame = std::clamp<size_t>(std::min(wanted, std::bit_floor(length / 6)), 16, std::bit_floor(length));
  LogMelFeatures mel{.frame = frame, .hop = frame / 2, .bands = 32, .high_hz = rate_hz / 2};
  while (mel.bands > 4 && mel_bank_has_empty_band(mel.bands, mel.frame, rate_hz, mel.high_hz)) mel.bands -= 4;
  return mel;
}

Status add_reference_64(FeatureSpec& spec) {
  if (spec.length != 2000 || spec.rate_hz != 10'000.0) {
    return fail(ErrorCode::kInvalidInput,
                "features reference-64 want windows of exactly 2,000 samples at 10,000 Hz, not {} at {} Hz; take "
                "'vibration' for other shapes",
                spec.length, spec.rate_hz);
  }
  spec.groups = {TimeFeatures{}, SpectrumFeatures{.nfft = 2048, .edges_hz = {0, 500, 1000, 2000, 3000, 4000, 5000}},
                 EnvelopeFeatures{.nfft = 2048, .low_hz = 2000, .high_hz = 4000, .bins = 200, .groups = 13},
                 LogMelFeatures{.frame = 256, .hop = 128, .bands = 32, .high_hz = 5000}};
  return {};
}

Status add_vibration(FeatureSpec& spec) {
  if (!(spec.rate_hz > 0.0)) {
    return fail(ErrorCode::kInvalidInput,
                "features vibration need a sample rate; for a curve over angle or way take 'curve'");
  }
  if (spec.length < kMinVibrationLength || spec.length > kMaxWindowLength) {
    return fail(ErrorCode::kInvalidInput,
                "features vibration want windows of {} to {} samples, not {}; take 'statistics' for shorter ones",
                kMinVibrationLength, kMaxWindowLength, spec.length);
  }
  const size_t nfft = std::bit_ceil(spec.length);
  const size_t bins = std::max<size_t>(1, nfft / 10);
  spec.groups = {
      TimeFeatures{},
      SpectrumFeatures{.nfft = nfft, .edges_hz = band_edges(spec.rate_hz, spec.rate_hz / static_cast<double>(nfft))},
      EnvelopeFeatures{.nfft = nfft,
                       .low_hz = 0.2 * spec.rate_hz,
                       .high_hz = 0.4 * spec.rate_hz,
                       .bins = bins,
                       .groups = std::min<size_t>(13, bins)},
      mel_features(spec.length, spec.rate_hz)};
  return {};
}

}  // namespace

Result<FeatureSpec> FeatureSpec::named(std::string_view name, size_t channels, size_t length, double rate_hz) {
  FeatureSpec spec{.name = std::string(name),
                   .channels = channels,
                   .length = length,
                   .rate_hz = rate_hz,
                   .channel_names = {},
                   .groups = {}};
  if (name == "reference-64") {
    MW_CHECK_OK(add_reference_64(spec));
  } else if (name == "vibration") {
    MW_CHECK_OK(add_vibration(spec));
  } else if (name == "curve") {
    spec.groups = {CurveFeatures{.points = std::min(length, kCurvePoints)}, CurveStatistics{}};
  } else if (name == "curve-statistics") {
    spec.groups = {CurveStatistics{}};
  } else if (name == "statistics") {
    spec.groups = {TimeFeatures{}};
  } else {
    return fail(ErrorCode::kInvalidInput,
                "no features are named '{}'; there are reference-64, vibration, curve, curve-statistics and statistics",
                name);
  }
  if (Status status = spec.validate(); !status) {
    return with_context(std::move(status).error(), fmt::format("features {}", name));
  }
  return spec;
}

}  // namespace millwright::signal
