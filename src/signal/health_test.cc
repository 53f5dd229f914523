// SPDX-License-Identifier: Apache-2.0
#include "signal/health.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/random.h"
#include "signal/rate_check.h"

namespace millwright::signal {
namespace {

constexpr size_t kLength = 2000;
constexpr double kRate = 10'000.0;

// A press as the accelerometer sees it: hum, noise, and a stroke that rings between 200 and 400 Hz.
std::vector<float> press(uint64_t seed, double wear = 0.0) {
  Random random(seed);
  std::vector<float> x(kLength);
  const double load = 1.0 + 0.1 * random.normal();
  const double phase = random.uniform(0.0, 6.0);
  for (size_t i = 0; i < kLength; ++i) {
    const double t = static_cast<double>(i) / kRate;
    double value = 0.02 * random.normal() + 0.01 * std::sin(2 * M_PI * 50 * t + phase);
    if (i >= 300) {
      const double since = t - 0.03;
      value += load * (1 + 3 * wear) * std::exp(-since / 0.03) * std::sin(2 * M_PI * 300 * since);
      value += 2.0 * load * std::exp(-since / 0.0015) * random.uniform(-1, 1);
    }
    x[i] = static_cast<float>(value);
  }
  return x;
}

// A machine that runs through: coloured noise and lines, without a quiet part; as a 16-bit converter gives it.
std::vector<float> running(uint64_t seed) {
  Random random(seed);
  std::vector<float> x(kLength);
  double low = 0.0;
  for (size_t i = 0; i < kLength; ++i) {
    low = 0.9 * low + random.normal();
    const double line = std::sin(2 * M_PI * 29.5 / kRate * static_cast<double>(i));
    x[i] = static_cast<float>(std::round(400.0 * (low + 0.5 * random.normal() + line)) / 32768.0);
  }
  return x;
}

using Maker = std::function<std::vector<float>(uint64_t)>;

HealthReference learned(const Maker& make, size_t windows = 60) {
  std::vector<float> all;
  for (size_t i = 0; i < windows; ++i) {
    const auto x = make(1'000'000 + i);
    all.insert(all.end(), x.begin(), x.end());
  }
  return learn_health(all, kLength, kRate);
}

SensorFault fault_in(std::span<const float> x, const HealthReference& reference) {
  return check_health({x, 1, x.size(), kRate}, std::span(&reference, 1)).fault;
}

class SensorHealth : public ::testing::TestWithParam<bool> {
 protected:
  Maker make = GetParam() ? Maker([](uint64_t seed) { return press(seed); }) : Maker(running);
  HealthReference reference = learned(make);
  // Over seeds, a window with the fault put in must be found to have it.
  void expect_found(SensorFault fault, const std::function<void(std::vector<float>&, Random&)>& inject) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
      auto x = make(seed);
      Random random(seed + 77);
      inject(x, random);
      ASSERT_EQ(name(fault_in(x, reference)), name(fault)) << "seed " << seed;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, SensorHealth, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "Press" : "Running"; });

TEST_P(SensorHealth, CleanWindowsRaiseNoAlarm) {
  size_t alarms = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) alarms += fault_in(make(seed), reference) != SensorFault::kNone ? 1 : 0;
  EXPECT_EQ(alarms, 0U);
}

TEST_P(SensorHealth, FindsWhatIsNotFinite) {
  expect_found(SensorFault::kNotFinite, [](auto& x, Random& random) {
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity()};
    x[random.below(x.size())] = bad[random.below(3)];
  });
}

TEST_P(SensorHealth, FindsAFlatLine) {
  expect_found(SensorFault::kFlatLine, [](auto& x, Random& random) {
    std::ranges::fill(x, static_cast<float>(random.normal()));
    if (random.below(2) == 0) x[random.below(x.size())] += 1e-6F;
  });
}

TEST_P(SensorHealth, FindsSaturation) {
  expect_found(SensorFault::kSaturated, [](auto& x, Random& random) {
    std::vector<float> sorted;
    sorted.reserve(x.size());
    for (float value : x) sorted.push_back(std::fabs(value));
    std::ranges::sort(sorted);
    const float rail = sorted[static_cast<size_t>((1.0 - random.uniform(0.02, 0.2)) * kLength)];
    for (float& value : x) value = std::clamp(value, -rail, rail);
  });
}

TEST_P(SensorHealth, FindsAStuckValue) {
  expect_found(SensorFault::kStuck, [](auto& x, Random& random) {
    const size_t run = 40 + random.below(500);
    const size_t at = random.below(x.size() - run);
    const float value = x[at] == 0.0F ? 0.001F : x[at];
    std::fill_n(x.begin() + static_cast<ptrdiff_t>(at), run, value);
  });
}

TEST_P(SensorHealth, FindsDropouts) {
  expect_found(SensorFault::kDropout, [](auto& x, Random& random) {
    const size_t holes = 1 + random.below(3);
    for (size_t h = 0; h < holes; ++h) {
      const size_t run = 20 + random.below(100);
      std::fill_n(x.begin() + static_cast<ptrdiff_t>(random.below(x.size() - run)), run, 0.0F);
    }
  });
}

TEST_P(SensorHealth, FindsAnUnpluggedSensor) {
  expect_found(SensorFault::kUnplugged, [this](auto& x, Random& random) {
    const double hum = random.uniform(0.05, 3.0) * reference.rms_high;
    const double rest = 0.005 * reference.noise_floor;
    const double phase = random.uniform(0.0, 6.0);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(hum * std::sin(2 * M_PI * 50 / kRate * static_cast<double>(i) + phase) +
                                rest * random.normal());
    }
  });
}

TEST_P(SensorHealth, FindsALooseMountAndNeverCallsItHealthy) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    auto x = make(seed);
    double first = 0.0;
    double second = 0.0;
    for (float& value : x) {
      first += 0.07 * (value - first);
      second += 0.07 * (first - second);
      value = static_cast<float>(0.3 * second);
    }
    const SensorFault fault = fault_in(x, reference);
    // Without strokes to see, a loose sensor looks like an unplugged one.
    ASSERT_TRUE(fault == SensorFault::kLoose || (!GetParam() && fault == SensorFault::kUnplugged)) << name(fault);
  }
}

// A worn die is a process anomaly and must reach the model.
TEST(SensorFaults, AreNotSeenInAWornDie) {
  const HealthReference reference = learned([](uint64_t seed) { return press(seed); });
  for (uint64_t seed = 0; seed < 300; ++seed) {
    ASSERT_EQ(fault_in(press(seed, 1.0 + 0.01 * static_cast<double>(seed)), reference), SensorFault::kNone);
  }
}

TEST(SensorFaults, NameTheChannel) {
  auto samples = press(1);
  const auto second = press(2);
  samples.insert(samples.end(), second.begin(), second.end());
  samples[kLength + 5] = std::numeric_limits<float>::quiet_NaN();
  const HealthFinding finding = check_health({samples, 2, kLength, kRate}, {});
  EXPECT_EQ(finding.fault, SensorFault::kNotFinite);
  EXPECT_EQ(finding.channel, 1U);
}

TEST(SensorFaults, OfACoarseSignalAreThoseThatCanBeTold) {
  // A torque curve from a coarse converter: long runs of equal values are normal.
  const Maker curve = [](uint64_t seed) {
    Random random(seed);
    std::vector<float> x(kLength);
    const double slope = random.uniform(20.0, 30.0);
    for (size_t i = 0; i < kLength; ++i)
      x[i] = std::round(static_cast<float>(slope * static_cast<double>(i) / kLength));
    return x;
  };
  const HealthReference reference = learned(curve);
  EXPECT_EQ(reference.noise_floor, 0.0F);
  for (uint64_t seed = 0; seed < 100; ++seed) ASSERT_EQ(fault_in(curve(seed), reference), SensorFault::kNone);
  EXPECT_EQ(fault_in(std::vector<float>(kLength, 3.0F), reference), SensorFault::kFlatLine);
}

TEST(SensorFaults, AFewFaultyWindowsDoNotSpoilWhatIsLearned) {
  std::vector<float> all;
  for (uint64_t i = 0; i < 300; ++i) {
    auto x = press(i);
    if (i == 5) std::ranges::fill(x, 0.0F);
    if (i == 6) x[3] = std::numeric_limits<float>::quiet_NaN();
    if (i == 7) std::fill_n(x.begin() + 100, 400, 0.5F);
    all.insert(all.end(), x.begin(), x.end());
  }
  const HealthReference spoiled = learn_health(all, kLength, kRate);
  const HealthReference clean = learned([](uint64_t seed) { return press(seed); });
  EXPECT_NEAR(spoiled.noise_floor, clean.noise_floor, 0.1 * clean.noise_floor);
  EXPECT_EQ(learn_health({}, kLength, kRate), HealthReference{});
}

TEST(SensorFaults, EachHasItsNe107Class) {
  EXPECT_EQ(ne107(SensorFault::kNone), Ne107::kGood);
  EXPECT_EQ(ne107(SensorFault::kUnplugged), Ne107::kFailure);
  EXPECT_EQ(ne107(SensorFault::kSaturated), Ne107::kOutOfSpecification);
  EXPECT_EQ(ne107(SensorFault::kLoose), Ne107::kMaintenanceRequired);
  EXPECT_EQ(name(SensorFault::kFlatLine), "flat_line");
  EXPECT_EQ(name(Ne107::kFailure), "failure");
}

TEST(RateCheck, TellsAWrongRateFromJitter) {
  for (double actual : {10'000.0, 10'100.0, 9'700.0, 12'000.0, 5'000.0}) {
    Random random(3);
    RateCheck check({.rate_hz = 10'000.0});
    SensorFault fault = SensorFault::kNone;
    for (int i = 1; i < 2000; ++i) {
      const double jitter_ns = random.uniform(0.0, 20e6);
      fault = check.push(100, static_cast<int64_t>(i * 100 / actual * 1e9 + jitter_ns));
    }
    const bool off = std::fabs(actual / 10'000.0 - 1.0) > 0.02;
    EXPECT_EQ(fault, off ? SensorFault::kWrongRate : SensorFault::kNone) << actual;
  }
}

TEST(RateCheck, ForgetsAClockThatStepsBack) {
  RateCheck check({.rate_hz = 1000.0, .span_ns = 1'000'000'000});
  int64_t now = 50'000'000'000;
  for (int i = 0; i < 100; ++i) {
    now += i == 50 ? -40'000'000'000 : 100'000'000;
    ASSERT_EQ(check.push(100, now), SensorFault::kNone) << i;
  }
}

// Recordings of a real bearing rig, where they are at hand: learned on one half of each record, checked on the other.
TEST(SensorFaults, AreNotSeenInRealRecordings) {
  const char* folder = std::getenv("MILLWRIGHT_DATA");
  const std::filesystem::path data =
      folder != nullptr ? folder : std::string(MILLWRIGHT_SOURCE_DIR) + "/../shared/data";
  if (!std::filesystem::is_directory(data / "cwru/i16")) GTEST_SKIP() << "no cwru data under " << data;
  size_t windows = 0;
  size_t alarms = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data / "cwru/i16")) {
    const auto bytes = read_file(entry.path(), 1 << 28);
    ASSERT_TRUE(bytes);
    std::vector<float> x(bytes->size() / 2);
    for (size_t i = 0; i < x.size(); ++i) {
      int16_t value = 0;
      std::memcpy(&value, bytes->data() + 2 * i, 2);
      x[i] = static_cast<float>(value) / 32768.0F;
    }
    const size_t half = x.size() / 2 / kLength * kLength;
    const HealthReference reference = learn_health(std::span(x).first(half), kLength, 12'000.0);
    EXPECT_GT(reference.noise_floor, 0.0F) << entry.path();
    for (size_t at = half; at + kLength <= x.size(); at += kLength) {
      ++windows;
      const SensorFault fault = fault_in(std::span(x).subspan(at, kLength), reference);
      if (fault == SensorFault::kNone) continue;
      ++alarms;
      std::printf("%s at %zu: %s\n", entry.path().filename().c_str(), at, std::string(name(fault)).c_str());
    }
  }
  std::printf("%zu windows, %zu alarms\n", windows, alarms);
  EXPECT_EQ(alarms, 0U);
}

}  // namespace
}  // namespace millwright::signal
