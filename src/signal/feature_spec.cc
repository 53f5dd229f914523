// SPDX-License-Identifier: Apache-2.0
#include "signal/feature_spec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "signal/curve.h"
#include "signal/mel_bank.h"

namespace millwright::signal {
namespace {

constexpr size_t kMinWindowLength = 8;
constexpr size_t kMaxNameLength = 64;
constexpr size_t kMaxFftSize = 2 * kMaxWindowLength;
constexpr size_t kMaxEdges = 1025;
constexpr size_t kMaxMelBands = 1024;
constexpr size_t kMinMelFrame = 16;
constexpr size_t kMaxFrameOverlap = 16;  // hop is at least frame / 16: bounds the work of a stranger's spec
constexpr size_t kMaxCurvePoints = 4096;
constexpr double kMaxRateHz = 1e9;
constexpr std::array<std::string_view, 10> kTimeNames = {
    "rms",          "peak",     "crest",    "kurtosis",       "skewness",
    "peak to peak", "mean abs", "variance", "impulse factor", "clearance factor"};

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

std::string hz(double value) { return fmt::format("{:.6g}", value); }

size_t count_of(const FeatureGroup& group) {
  return std::visit(
      Overload{[](const TimeFeatures&) { return kTimeNames.size(); },
               [](const SpectrumFeatures& g) { return g.edges_hz.size() - 1 + 3; },
               [](const EnvelopeFeatures& g) { return g.groups; }, [](const LogMelFeatures& g) { return g.bands; },
               [](const CurveFeatures& g) { return g.points; },
               [](const CurveStatistics&) { return kCurveStatistics; }},
      group);
}

void append_names(const FeatureGroup& group, double rate_hz, const std::string& prefix,
                  std::vector<std::string>& names) {
  const auto add = [&](std::string_view text) { names.push_back(prefix + std::string(text)); };
  std::visit(Overload{[&](const TimeFeatures&) { std::ranges::for_each(kTimeNames, add); },
                      [&](const SpectrumFeatures& g) {
                        for (size_t i = 0; i + 1 < g.edges_hz.size(); ++i) {
                          add(fmt::format("band {}-{} Hz", hz(g.edges_hz[i]), hz(g.edges_hz[i + 1])));
                        }
                        for (const char* text : {"dominant frequency", "spectral centroid", "rms frequency"}) add(text);
                      },
                      [&](const EnvelopeFeatures& g) {
                        size_t bin = 1;
                        for (size_t i = 0; i < g.groups; ++i) {
                          const size_t size = g.bins / g.groups + (i < g.bins % g.groups ? 1 : 0);
                          const double width = rate_hz / static_cast<double>(g.nfft);
                          add(fmt::format("envelope {}-{} Hz", hz(static_cast<double>(bin) * width),
                                          hz(static_cast<double>(bin + size - 1) * width)));
                          bin += size;
                        }
                      },
                      [&](const LogMelFeatures& g) {
                        const std::vector<double> centres = mel_centres_hz(g.bands, g.high_hz);
                        for (double centre : centres) add(fmt::format("mel {} Hz", hz(std::round(centre))));
                      },
                      [&](const CurveFeatures& g) {
                        for (size_t i = 0; i < g.points; ++i) add(fmt::format("point {} of {}", i + 1, g.points));
                      },
                      [&](const CurveStatistics&) {
                        for (std::string_view text : kCurveStatisticNames) add(fmt::format("curve {}", text));
                      }},
             group);
}

// The checks of one group; each message begins with the group's name.
struct GroupCheck {
  const FeatureSpec& spec;

  Status rate_needed(std::string_view group) const {
    if (spec.rate_hz > 0.0) return {};
    return fail(ErrorCode::kInvalidInput, "{}: needs a sample rate, and rate_hz is 0", group);
  }
  Status fft_size(std::string_view group, size_t nfft) const {
    if (std::has_single_bit(nfft) && nfft >= kMinWindowLength && nfft >= spec.length && nfft <= kMaxFftSize) return {};
    return fail(ErrorCode::kInvalidInput, "{}: nfft {} must be a power of two from the window's length {} to {}", group,
                nfft, spec.length, kMaxFftSize);
  }

  Status operator()(const TimeFeatures&) const { return {}; }

  Status operator()(const SpectrumFeatures& g) const {
    MW_CHECK_OK(rate_needed("spectrum"));
    MW_CHECK_OK(fft_size("spectrum", g.nfft));
    if (g.edges_hz.size() < 2 || g.edges_hz.size() > kMaxEdges) {
      return fail(ErrorCode::kInvalidInput, "spectrum: edges_hz has {} entries; 2 to {} are allowed", g.edges_hz.size(),
                  kMaxEdges);
    }
    for (size_t i = 0; i < g.edges_hz.size(); ++i) {
      const double edge = g.edges_hz[i];
      const bool rising = i == 0 || edge > g.edges_hz[i - 1];
      if (std::isfinite(edge) && edge >= 0.0 && rising && edge <= spec.rate_hz / 2) continue;
      return fail(ErrorCode::kInvalidInput, "spectrum: edges_hz[{}] = {} must rise and lie in 0 .. rate / 2 = {} Hz", i,
                  edge, spec.rate_hz / 2);
    }
    return {};
  }

  Status operator()(const EnvelopeFeatures& g) const {
    MW_CHECK_OK(rate_needed("envelope"));
    MW_CHECK_OK(fft_size("envelope", g.nfft));
    const double width = spec.rate_hz / static_cast<double>(g.nfft);
    if (!(g.low_hz >= 0.0 && g.high_hz <= spec.rate_hz / 2 && g.high_hz - g.low_hz >= width)) {
      return fail(ErrorCode::kInvalidInput,
                  "envelope: band {}-{} Hz must be at least one bin ({} Hz) wide and lie in 0 .. rate / 2 = {} Hz",
                  g.low_hz, g.high_hz, width, spec.rate_hz / 2);
    }
    if (g.bins < 1 || g.bins > g.nfft / 2) {
      return fail(ErrorCode::kInvalidInput, "envelope: bins {} must lie in 1 .. nfft / 2 = {}", g.bins, g.nfft / 2);
    }
    if (g.groups < 1 || g.groups > g.bins) {
      return fail(ErrorCode::kInvalidInput, "envelope: groups {} must lie in 1 .. bins = {}", g.groups, g.bins);
    }
    return {};
  }

  Status operator()(const LogMelFeatures& g) const {
    MW_CHECK_OK(rate_needed("log_mel"));
    if (!std::has_single_bit(g.frame) || g.frame < kMinMelFrame || g.frame > spec.length) {
      return fail(ErrorCode::kInvalidInput,
                  "log_mel: frame {} must be a power of two from {} to the window's length {}", g.frame, kMinMelFrame,
                  spec.length);
    }
    if (g.hop < std::max<size_t>(1, g.frame / kMaxFrameOverlap) || g.hop > spec.length) {
      return fail(ErrorCode::kInvalidInput, "log_mel: hop {} must lie in frame / {} .. the window's length {}", g.hop,
                  kMaxFrameOverlap, spec.length);
    }
    if (g.bands < 1 || g.bands > kMaxMelBands) {
      return fail(ErrorCode::kInvalidInput, "log_mel: bands {} must lie in 1 .. {}", g.bands, kMaxMelBands);
    }
    if (!(g.high_hz > 0.0 && g.high_hz <= spec.rate_hz / 2)) {
      return fail(ErrorCode::kInvalidInput, "log_mel: high_hz {} must lie above 0 and up to rate / 2 = {} Hz",
                  g.high_hz, spec.rate_hz / 2);
    }
    return {};
  }

  Status operator()(const CurveFeatures& g) const {
    if (g.points >= 1 && g.points <= kMaxCurvePoints) return {};
    return fail(ErrorCode::kInvalidInput, "curve: points {} must lie in 1 .. {}", g.points, kMaxCurvePoints);
  }
  Status operator()(const CurveStatistics&) const { return {}; }
};

Status check_text(std::string_view what, std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (!text.empty() && text.size() <= kMaxNameLength && plain) return {};
  return fail(ErrorCode::kInvalidInput, "{} must have 1 to {} bytes and no control characters", what, kMaxNameLength);
}

Status check_shape(const FeatureSpec& spec) {
  MW_CHECK_OK(check_text("name", spec.name));
  if (spec.channels < 1 || spec.channels > kMaxChannels) {
    return fail(ErrorCode::kInvalidInput, "channels {} must lie in 1 .. {}", spec.channels, kMaxChannels);
  }
  if (spec.length < kMinWindowLength || spec.length > kMaxWindowLength) {
    return fail(ErrorCode::kInvalidInput, "length {} must lie in {} .. {} samples", spec.length, kMinWindowLength,
                kMaxWindowLength);
  }
  if (!(spec.rate_hz >= 0.0 && spec.rate_hz <= kMaxRateHz)) {
    return fail(ErrorCode::kInvalidInput, "rate_hz {} must lie in 0 .. {:g}", spec.rate_hz, kMaxRateHz);
  }
  if (!spec.channel_names.empty() && spec.channel_names.size() != spec.channels) {
    return fail(ErrorCode::kInvalidInput, "channel_names has {} entries for {} channels", spec.channel_names.size(),
                spec.channels);
  }
  for (size_t i = 0; i < spec.channel_names.size(); ++i) {
    MW_CHECK_OK(check_text(fmt::format("channel_names[{}]", i), spec.channel_names[i]));
  }
  return {};
}

}  // namespace

Status FeatureSpec::validate() const {
  MW_CHECK_OK(check_shape(*this));
  if (groups.empty() || groups.size() > kMaxGroups) {
    return fail(ErrorCode::kInvalidInput, "groups has {} entries; 1 to {} are allowed", groups.size(), kMaxGroups);
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    if (Status status = std::visit(GroupCheck{*this}, groups[i]); !status) {
      return with_context(std::move(status).error(), fmt::format("groups[{}]", i));
    }
  }
  if (feature_count() > kMaxFeatures) {
    return fail(ErrorCode::kTooLarge, "{} features per window; at most {} are allowed", feature_count(), kMaxFeatures);
  }
  return {};
}

size_t FeatureSpec::feature_count() const {
  size_t count = 0;
  for (const FeatureGroup& group : groups) count += count_of(group);
  return count * channels;
}

std::vector<std::string> FeatureSpec::feature_names() const {
  std::vector<std::string> names;
  for (size_t c = 0; c < channels; ++c) {
    std::string prefix;
    if (channels > 1) prefix = channel_names.empty() ? fmt::format("channel {}: ", c) : channel_names[c] + ": ";
    for (const FeatureGroup& group : groups) append_names(group, rate_hz, prefix, names);
  }
  return names;
}

}  // namespace millwright::signal
