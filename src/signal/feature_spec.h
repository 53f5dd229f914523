// SPDX-License-Identifier: Apache-2.0
// A feature spec says which numbers are made of a window. It travels in the bundle, so that training and the box
// cannot drift apart. See FORMAT.md beside this file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace millwright::signal {

// Named limits of a spec that may come from a stranger's bundle.
inline constexpr size_t kMaxChannels = 64;
inline constexpr size_t kMaxWindowLength = 1 << 20;
inline constexpr size_t kMaxFeatures = 65'536;
inline constexpr size_t kMaxGroups = 32;

// Groups of features; each is computed per channel, in the order of the list. Frequencies in Hz.
// The formulas are those that `reference-64` fixes (see FORMAT.md); all moments are population moments about the mean.

// rms, peak, crest, excess kurtosis, skewness, peak to peak, mean abs, variance, impulse factor, clearance factor: 10.
struct TimeFeatures {};

// Power of a symmetric Hann window zero-padded to nfft: sums over bands [edge i, edge i+1), then dominant frequency,
// centroid, RMS frequency: edges.size() - 1 + 3.
struct SpectrumFeatures {
  size_t nfft = 0;
  std::vector<double> edges_hz;
};

// Mean magnitudes of the envelope's spectrum in `groups` groups of bins [1, bins]; the envelope is that of the band
// [low_hz, high_hz], by the analytic signal: groups.
struct EnvelopeFeatures {
  size_t nfft = 0;
  double low_hz = 0.0;
  double high_hz = 0.0;
  size_t bins = 0;
  size_t groups = 0;
};

// log(mel power + 1e-10), mean over frames: bands.
struct LogMelFeatures {
  size_t frame = 0;  // samples, also the FFT's size; a power of two
  size_t hop = 0;
  size_t bands = 0;
  double high_hz = 0.0;
};

// The curve itself, resampled linearly over its length to `points`: for torque-angle and force-displacement curves.
struct CurveFeatures {
  size_t points = 0;
};

// Mean, standard deviation, min, max, their positions in [0, 1], area, slope, quartiles and the like of a curve whose
// axis is not time: see FORMAT.md for the list.
struct CurveStatistics {};

using FeatureGroup =
    std::variant<TimeFeatures, SpectrumFeatures, EnvelopeFeatures, LogMelFeatures, CurveFeatures, CurveStatistics>;

struct FeatureSpec {
  std::string name;                        // "reference-64", "vibration", "curve", or the user's own
  size_t channels = 1;                     // 1 .. kMaxChannels
  size_t length = 0;                       // samples per channel, 8 .. kMaxWindowLength
  double rate_hz = 0.0;                    // 0 for curves
  std::vector<std::string> channel_names;  // empty, or one per channel
  std::vector<FeatureGroup> groups;

  // A built-in spec for windows of this shape. kInvalidInput names the known specs, or says why the shape does not
  // suit ("reference-64" wants one channel or more of exactly 2,000 samples at 10,000 Hz).
  static Result<FeatureSpec> named(std::string_view name, size_t channels, size_t length, double rate_hz);

  // Strict: unknown keys, wrong types and anything beyond the limits are refused with the place named.
  static Result<FeatureSpec> parse_json(std::string_view text);
  [[nodiscard]] std::string to_json() const;

  // Checks the limits and that every group suits length and rate.
  [[nodiscard]] Status validate() const;

  // Features per window, over all channels: channel-major (all of channel 0 first).
  [[nodiscard]] size_t feature_count() const;
  // "rms", "band 200-400 Hz", ... with "channel: " in front where there is more than one channel.
  [[nodiscard]] std::vector<std::string> feature_names() const;
};

}  // namespace millwright::signal
