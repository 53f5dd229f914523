// SPDX-License-Identifier: Apache-2.0
// Spectrum, envelope and log-mel of shapes other than the reference's, against sums written out in double precision.
#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <numbers>

#include <gtest/gtest.h>

#include "base/random.h"
#include "signal/features.h"

namespace millwright::signal {
namespace {

using Spectrum = std::vector<std::complex<double>>;

Spectrum transform(const Spectrum& x, size_t n, double sign) {
  Spectrum out(n);
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = 0; i < x.size(); ++i) {
      out[k] += x[i] * std::polar(1.0, sign * 2.0 * std::numbers::pi * static_cast<double>(i * k % n) / n);
    }
  }
  return out;
}

std::vector<double> envelope(std::span<const float> x, const EnvelopeFeatures& g, double rate_hz) {
  Spectrum bins = transform({x.begin(), x.end()}, g.nfft, -1.0);
  for (size_t k = 0; k < g.nfft; ++k) {
    const double hz = static_cast<double>(k) * rate_hz / static_cast<double>(g.nfft);
    bins[k] = k < g.nfft / 2 && hz >= g.low_hz && hz <= g.high_hz ? 2.0 * bins[k] : 0.0;
  }
  const Spectrum analytic = transform(bins, g.nfft, 1.0);
  Spectrum e(x.size());
  for (size_t i = 0; i < x.size(); ++i) e[i] = std::abs(analytic[i]) / static_cast<double>(g.nfft);
  std::complex<double> mean = 0.0;
  for (const auto& value : e) mean += value / static_cast<double>(e.size());
  for (auto& value : e) value -= mean;
  const Spectrum lines = transform(e, g.nfft, -1.0);
  std::vector<double> out;
  size_t bin = 1;
  for (size_t i = 0; i < g.groups; ++i) {
    const size_t count = g.bins / g.groups + (i < g.bins % g.groups ? 1 : 0);
    double sum = 0.0;
    for (size_t k = 0; k < count; ++k) sum += std::abs(lines[bin++]);
    out.push_back(sum / static_cast<double>(count));
  }
  return out;
}

TEST(EnvelopeOfAnyShape, IsThatOfItsDefinition) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const size_t length = 8 + random.below(120);
    const double rate_hz = 1000.0;
    EnvelopeFeatures g{.nfft = std::bit_ceil(length) << random.below(2)};
    const double width = rate_hz / static_cast<double>(g.nfft);
    g.low_hz = random.uniform(0.0, 400.0);
    g.high_hz = std::min(500.0, g.low_hz + width * random.uniform(1.0, static_cast<double>(g.nfft) / 2));
    if (g.high_hz - g.low_hz < width) continue;
    g.bins = 1 + random.below(g.nfft / 2);
    g.groups = 1 + random.below(g.bins);
    const FeatureSpec spec{
        .name = "own", .channels = 1, .length = length, .rate_hz = rate_hz, .channel_names = {}, .groups = {g}};
    std::vector<float> x(length);
    for (float& value : x) value = static_cast<float>(random.normal());
    const auto expected = envelope(x, g, rate_hz);
    auto extractor = FeatureExtractor::create(spec);
    if (!extractor) {
      // A band between two bins may hold none of them at its upper end.
      ASSERT_NE(extractor.error().message.find("no bin"), std::string::npos) << extractor.error().message;
      continue;
    }
    std::vector<float> found(g.groups);
    extractor->extract({x, 1, length, rate_hz}, found);
    const double scale = *std::ranges::max_element(expected) + 1e-3;
    for (size_t i = 0; i < g.groups; ++i) ASSERT_NEAR(found[i], expected[i], 1e-5 * scale) << "seed " << seed;
  }
}

TEST(SpectrumOfAnyShape, IsThatOfItsDefinition) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const size_t length = 8 + random.below(120);
    const double rate_hz = 1000.0;
    const SpectrumFeatures g{.nfft = std::bit_ceil(length) << random.below(2), .edges_hz = {0, 90, 125, 250.5, 500}};
    const FeatureSpec spec{
        .name = "own", .channels = 1, .length = length, .rate_hz = rate_hz, .channel_names = {}, .groups = {g}};
    std::vector<float> x(length);
    Spectrum tapered(length);
    for (size_t i = 0; i < length; ++i) {
      x[i] = static_cast<float>(random.normal());
      tapered[i] = x[i] * (0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / (length - 1.0)));
    }
    const Spectrum bins = transform(tapered, g.nfft, -1.0);
    std::vector<double> bands(4);
    double total = 0.0;
    double first = 0.0;
    for (size_t k = 0; k <= g.nfft / 2; ++k) {
      const double hz = static_cast<double>(k) * rate_hz / static_cast<double>(g.nfft);
      total += std::norm(bins[k]);
      first += hz * std::norm(bins[k]);
      for (size_t b = 0; b < 4; ++b) {
        if (hz >= g.edges_hz[b] && hz < g.edges_hz[b + 1]) bands[b] += std::norm(bins[k]);
      }
    }
    auto extractor = FeatureExtractor::create(spec);
    ASSERT_TRUE(extractor) << extractor.error().message;
    std::vector<float> found(7);
    extractor->extract({x, 1, length, rate_hz}, found);
    for (size_t b = 0; b < 4; ++b) ASSERT_NEAR(found[b], bands[b], 1e-5 * total) << "seed " << seed;
    ASSERT_NEAR(found[5], first / total, 0.01) << "seed " << seed;
  }
}

TEST(LogMelOfAnyShape, IsFiniteAndRisesWithTheLevel) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const size_t length = 64 + random.below(2000);
    LogMelFeatures g{.frame = size_t{16} << random.below(3), .bands = 1 + random.below(12), .high_hz = 500.0};
    g.hop = g.frame / 16 + random.below(2 * g.frame) + 1;
    if (g.hop > length) continue;
    const FeatureSpec spec{
        .name = "own", .channels = 1, .length = length, .rate_hz = 1000.0, .channel_names = {}, .groups = {g}};
    auto extractor = FeatureExtractor::create(spec);
    ASSERT_TRUE(extractor) << extractor.error().message;
    std::vector<float> x(length);
    for (float& value : x) value = static_cast<float>(random.normal());
    std::vector<float> quiet(g.bands);
    std::vector<float> loud(g.bands);
    extractor->extract({x, 1, length, 1000.0}, quiet);
    for (float& value : x) value *= 8.0F;
    extractor->extract({x, 1, length, 1000.0}, loud);
    for (size_t i = 0; i < g.bands; ++i) {
      const bool empty = quiet[i] < -20.0F;
      ASSERT_NEAR(loud[i] - quiet[i], empty ? 0.0 : 2.0 * std::log(8.0), 1e-4) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace millwright::signal
