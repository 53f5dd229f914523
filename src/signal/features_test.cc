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

TEST(Features, OfABatchAreThoseOfEachWindow) {
  const auto samples = noise(2000 * 7, 4);
  FeatureExtractor reference = extractor("reference-64", 1, 2000, 10'000.0);
  std::vector<Window> windows;
  std::vector<float> expected;
  for (size_t i = 0; i < 7; ++i) {
    windows.push_back({std::span(samples).subspan(i * 2000, 2000), 1, 2000, 10'000.0});
    const auto row = extract(reference, windows.back().samples);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  std::vector<float> found(7 * 64);
  reference.extract_batch(windows, found);
  EXPECT_EQ(found, expected);
}

TEST(Features, AreMadeWithoutAllocating) {
  for (const char* name : {"reference-64", "vibration", "curve", "statistics"}) {
    FeatureExtractor made = extractor(name, 2, 2000, 10'000.0);
    const auto samples = noise(4000, 5);
    std::vector<float> out(made.feature_count());
    const std::vector<Window> windows(1, Window{samples, 2, 2000, 10'000.0});
    const size_t before = allocations;
    made.extract(windows[0], out);
    made.extract_batch(windows, out);
    EXPECT_EQ(allocations, before) << name;
  }
}

TEST(Features, AreFiniteWhateverTheWindow) {
  for (const char* name : {"reference-64", "vibration", "curve", "statistics"}) {
    FeatureExtractor made = extractor(name, 1, 2000, 10'000.0);
    for (float level : {0.0F, 1.0F, -0.1F, 1e-38F, 1e-20F, 1e10F, 1e30F, 3e38F}) {
      std::vector<float> samples(2000, level);
      for (int spiked = 0; spiked < 2; ++spiked) {
        for (float value : extract(made, samples)) ASSERT_TRUE(std::isfinite(value)) << name << " at " << level;
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
