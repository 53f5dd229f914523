// SPDX-License-Identifier: Apache-2.0
#include "signal/features.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/random.h"

namespace {
thread_local size_t allocations = 0;
}

// Every allocation of this test program is counted, so that a test can show that a call makes none.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t align) {
  ++allocations;
  const size_t unit = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace millwright::signal {
namespace {

template <typename T>
std::vector<T> read_numbers(const std::string& name) {
  const auto bytes = read_file(std::string(MILLWRIGHT_SOURCE_DIR) + "/tests/reference/features/" + name, 1 << 20);
  if (!bytes) ADD_FAILURE() << bytes.error().message;
  std::vector<T> numbers(bytes->size() / sizeof(T));
  std::memcpy(numbers.data(), bytes->data(), numbers.size() * sizeof(T));
  return numbers;
}

FeatureExtractor extractor(std::string_view name, size_t channels, size_t length, double rate_hz) {
  auto spec = FeatureSpec::named(name, channels, length, rate_hz);
  if (!spec) ADD_FAILURE() << spec.error().message;
  auto made = FeatureExtractor::create(*spec);
  if (!made) ADD_FAILURE() << made.error().message;
  return std::move(*made);
}

std::vector<float> noise(size_t n, uint64_t seed, double level = 1.0) {
  Random random(seed);
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(level * random.normal());
  return x;
}

std::vector<float> extract(FeatureExtractor& from, std::span<const float> samples) {
  std::vector<float> out(from.feature_count());
  from.extract({samples, from.spec().channels, from.spec().length, from.spec().rate_hz}, out);
  return out;
}

// The values of tests/reference/features.py, which says how near-zero values are measured.
TEST(Features, AgreeWithSciPy) {
  const auto windows = read_numbers<float>("synthetic.f32");
  const auto expected = read_numbers<double>("synthetic.f64");
  ASSERT_EQ(windows.size() / 2000, expected.size() / 64);
  FeatureExtractor reference = extractor("reference-64", 1, 2000, 10'000.0);
  const auto names = reference.spec().feature_names();
  for (size_t w = 0; w < expected.size() / 64; ++w) {
    const auto found = extract(reference, std::span(windows).subspan(w * 2000, 2000));
    double whole = 0.0;
    for (size_t i = 10; i < 16; ++i) whole += expected[w * 64 + i];
    for (size_t i = 0; i < 64; ++i) {
      const double value = expected[w * 64 + i];
      double scale = std::fabs(value);
      if (i == 3 || i == 4 || i >= 32) scale = std::max(scale, 1.0);
      if (i >= 10 && i < 16) scale = std::max(scale, 1e-7 * whole);
      EXPECT_NEAR(found[i], value, 1e-4 * scale) << "window " << w << ", " << names[i];
    }
  }
}

TEST(Features, OfTwoChannelsAreThoseOfEachAlone) {
  const auto samples = noise(4000, 3);
  FeatureExtractor one = extractor("reference-64", 1, 2000, 10'000.0);
  FeatureExtractor two = extractor("reference-64", 2, 2000, 10'000.0);
  const auto both = extract(two, samples);
  auto expected = extract(one, std::span(samples).first(2000));
  const auto second = extract(one, std::span(samples).last(2000));
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(both, expected);
}

// What a press gives: noise, a ringing blow that decays, a slow push; every window with another level and offset.
std::vector<float> strokes(size_t count, size_t length, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(count * length);
  for (size_t w = 0; w < count; ++w) {
    const double level = std::pow(10.0, 2.0 * random.normal());
    const double offset = 0.3 * random.normal();
    const double pitch = 0.2 + 0.1 * static_cast<double>(w % 7);
    for (size_t i = 0; i < length; ++i) {
      const double t = static_cast<double>(i) / static_cast<double>(length);
      const double blow = t < 0.3 ? 0.0 : std::exp(-12.0 * (t - 0.3)) * std::sin(pitch * static_cast<double>(i));
      const double push = 0.2 * std::exp(-100.0 * (t - 0.35) * (t - 0.35));
      x[w * length + i] = static_cast<float>(level * (0.02 * random.normal() + blow + push + offset));
    }
  }
  return x;
}

// The largest difference between features from a batch and one by one: relative, measured by the feature's own size, or
// by 1 for shape and logarithms, or by the largest feature of its group for sums over parts of a spectrum.
double batch_difference(FeatureExtractor& made, std::span<const float> samples, size_t count) {
  const FeatureSpec& spec = made.spec();
  const auto names = spec.feature_names();
  const size_t n = made.feature_count();
  std::vector<Window> windows;
  for (size_t w = 0; w < count; ++w) {
    const auto part = samples.subspan(w * spec.channels * spec.length, spec.channels * spec.length);
    windows.push_back({part, spec.channels, spec.length, spec.rate_hz});
  }
  std::vector<float> found(count * n);
  made.extract_batch(windows, found);
  double worst = 0.0;
  for (size_t w = 0; w < count; ++w) {
    const auto expected = extract(made, windows[w].samples);
    double whole = 0.0;
    for (size_t i = 0; i < n; ++i) {
      if (names[i].contains("band ")) whole = std::max(whole, std::fabs(static_cast<double>(expected[i])));
    }
    for (size_t i = 0; i < n; ++i) {
      double scale = std::max(std::fabs(static_cast<double>(expected[i])), 1e-30);
      const bool is_band = names[i].contains("band ");
      if (is_band) scale = std::max(scale, 1e-3 * whole);
      if (names[i].contains("mel") || names[i].contains("kurtosis") || names[i].contains("skewness")) {
        scale = std::max(scale, 1.0);
      }
      worst = std::max(worst, std::fabs(found[w * n + i] - expected[i]) / scale);
    }
  }
  return worst;
}

TEST(Features, OfABatchAreThoseOfEachWindow) {
  for (const char* name : {"reference-64", "vibration", "curve", "curve-statistics", "statistics"}) {
    FeatureExtractor made = extractor(name, 1, 2000, 10'000.0);
    for (size_t count : {1, 2, 15, 16, 17, 64}) {
      EXPECT_LT(batch_difference(made, noise(count * 2000, 4 + count), count), 1e-5) << name << ", noise, " << count;
      EXPECT_LT(batch_difference(made, strokes(count, 2000, count), count), 1e-5) << name << ", strokes, " << count;
    }
  }
}

// Short, odd and long windows, several channels: also those that run one by one.
TEST(Features, OfABatchAreThoseOfEachWindowWhateverTheShape) {
  for (size_t length : {64, 100, 511, 1024, 4097, 8192, 8193}) {
    for (size_t channels : {1, 3}) {
      FeatureExtractor made = extractor("vibration", channels, length, 25'600.0);
      EXPECT_LT(batch_difference(made, strokes(7 * channels, length, length), 7), 1e-5) << length << ", " << channels;
    }
  }
  FeatureExtractor short_ones = extractor("statistics", 2, 8, 0.0);
  EXPECT_LT(batch_difference(short_ones, noise(9 * 16, 1), 9), 1e-5);
}

TEST(Features, OfAWindowDoNotDependOnItsNeighboursInABatch) {
  FeatureExtractor made = extractor("reference-64", 1, 2000, 10'000.0);
  const auto samples = strokes(16, 2000, 9);
  auto wild = noise(16 * 2000, 10, 1e6);
  std::ranges::copy(std::span(samples).subspan(5 * 2000, 2000), wild.begin() + 5 * 2000);
  const auto features_of = [&](std::span<const float> all) {
    std::vector<Window> windows;
    windows.reserve(16);
    for (size_t w = 0; w < 16; ++w) windows.push_back({all.subspan(w * 2000, 2000), 1, 2000, 10'000.0});
    std::vector<float> out(16 * 64);
    made.extract_batch(windows, out);
    return std::vector<float>(out.begin() + 5 * 64, out.begin() + 6 * 64);
  };
  EXPECT_EQ(features_of(samples), features_of(wild));
}

TEST(Features, AreMadeWithoutAllocating) {
  for (const char* name : {"reference-64", "vibration", "curve", "curve-statistics", "statistics"}) {
    FeatureExtractor made = extractor(name, 2, 2000, 10'000.0);
    const auto samples = noise(4000, 5);
    std::vector<float> out(made.feature_count());
    const std::vector<Window> windows(9, Window{samples, 2, 2000, 10'000.0});
    std::vector<float> all(9 * made.feature_count());
    const size_t before = allocations;
    made.extract(windows[0], out);
    made.extract_batch(windows, all);
    EXPECT_EQ(allocations, before) << name;
  }
}

TEST(Features, AreFiniteWhateverTheWindow) {
  for (const char* name : {"reference-64", "vibration", "curve", "curve-statistics", "statistics"}) {
    FeatureExtractor made = extractor(name, 1, 2000, 10'000.0);
    for (float level : {0.0F, 1.0F, -0.1F, 1e-38F, 1e-20F, 1e10F, 1e30F, 3e38F}) {
      std::vector<float> samples(2000, level);
      for (int spiked = 0; spiked < 2; ++spiked) {
        for (float value : extract(made, samples)) ASSERT_TRUE(std::isfinite(value)) << name << " at " << level;
        const std::vector<Window> windows(5, Window{samples, 1, 2000, 10'000.0});
        std::vector<float> all(5 * made.feature_count());
        made.extract_batch(windows, all);
        for (float value : all) ASSERT_TRUE(std::isfinite(value)) << name << " in a batch at " << level;
        samples[700] = -level;
      }
    }
  }
}

TEST(Features, OfAConstantWindowHaveNoShape) {
  FeatureExtractor made = extractor("statistics", 1, 100, 0.0);
  const auto found = extract(made, std::vector<float>(100, 0.1F));
  EXPECT_FLOAT_EQ(found[0], 0.1F);
  EXPECT_EQ(found[3], 0.0F);
  EXPECT_EQ(found[4], 0.0F);
  EXPECT_EQ(found[7], 0.0F);
}

// A quiet frame beside a loud one shares its transform; rounding must not leak from one to the other.
TEST(Features, OfAQuietPartAreNotDrownedByALoudOne) {
  auto quiet = noise(2000, 6, 1e-5);
  FeatureExtractor made = extractor("reference-64", 1, 2000, 10'000.0);
  const auto alone = extract(made, quiet);
  auto loud = quiet;
  for (size_t i = 1'950; i < 2'000; ++i) loud[i] *= 1e7F;  // beyond the last frame of the log-mel part
  const auto beside = extract(made, loud);
  for (size_t i = 32; i < 64; ++i) EXPECT_NEAR(alone[i], beside[i], 1e-4 * std::fabs(alone[i])) << i;
}

TEST(Features, OfAToneLieInItsBand) {
  FeatureExtractor made = extractor("vibration", 1, 2000, 10'000.0);
  const auto names = made.spec().feature_names();
  std::vector<float> samples(2000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(std::sin(2 * M_PI * 325.0 * i / 1e4));
  const auto found = extract(made, samples);
  const auto at = [&](std::string_view name) {
    const auto it = std::ranges::find(names, name);
    EXPECT_NE(it, names.end()) << name;
    return found[static_cast<size_t>(it - names.begin())];
  };
  EXPECT_NEAR(at("dominant frequency"), 325.0F, 5.0F);
  EXPECT_GT(at("band 300-350 Hz"), 100.0F * at("band 200-250 Hz"));
}

}  // namespace
}  // namespace millwright::signal
