// SPDX-License-Identifier: Apache-2.0
#include "signal/feature_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millwright::signal {
namespace {

using ::testing::HasSubstr;

FeatureSpec reference() { return *FeatureSpec::named("reference-64", 1, 2000, 10'000.0); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(FeatureSpec, Reference64HasSixtyFourNamedFeaturesPerChannel) {
  EXPECT_EQ(reference().feature_count(), 64U);
  const auto names = reference().feature_names();
  ASSERT_EQ(names.size(), 64U);
  EXPECT_EQ(names[0], "rms");
  EXPECT_EQ(names[10], "band 0-500 Hz");
  EXPECT_EQ(names[16], "dominant frequency");
  EXPECT_THAT(names[19], HasSubstr("envelope 4.88281-"));
  EXPECT_THAT(names[32], HasSubstr("mel "));
  const auto three = *FeatureSpec::named("reference-64", 3, 2000, 10'000.0);
  EXPECT_EQ(three.feature_count(), 192U);
  EXPECT_EQ(three.feature_names()[64], "channel 1: rms");
}

TEST(FeatureSpec, NamedSpecsSuitEveryShapeTheyAccept) {
  for (size_t length : {64U, 100U, 256U, 1000U, 2000U, 2048U, 4096U, 48'000U}) {
    for (double rate : {1.0, 50.0, 1000.0, 2000.0, 10'000.0, 12'000.0, 48'000.0, 96'000.0}) {
      const auto spec = FeatureSpec::named("vibration", 1, length, rate);
      ASSERT_TRUE(spec) << spec.error().message;
      EXPECT_EQ(spec->feature_names().size(), spec->feature_count());
    }
  }
  EXPECT_TRUE(FeatureSpec::named("curve", 1, 8, 0.0));
  EXPECT_EQ(FeatureSpec::named("curve-statistics", 2, 8, 0.0)->feature_count(), 40U);
  EXPECT_TRUE(FeatureSpec::named("statistics", 2, 8, 0.0));
}

TEST(FeatureSpec, VibrationResolvesTheBandWhereAPressRings) {
  const auto names = FeatureSpec::named("vibration", 1, 2000, 10'000.0)->feature_names();
  EXPECT_THAT(names, ::testing::IsSupersetOf({"band 200-250 Hz", "band 250-300 Hz", "band 300-350 Hz"}));
}

TEST(FeatureSpec, RefusesWhatDoesNotSuitAndSaysWhy) {
  EXPECT_THAT(FeatureSpec::named("reference-64", 1, 2048, 10'000.0).error().message, HasSubstr("2,000 samples"));
  EXPECT_THAT(FeatureSpec::named("vibration", 1, 2000, 0.0).error().message, HasSubstr("sample rate"));
  EXPECT_THAT(FeatureSpec::named("vibrations", 1, 2000, 1.0).error().message, HasSubstr("there are reference-64"));
  EXPECT_FALSE(FeatureSpec::named("statistics", 65, 2000, 1.0));
  EXPECT_FALSE(FeatureSpec::named("statistics", 1, 7, 1.0));
  EXPECT_FALSE(FeatureSpec::named("curve", 1, kMaxWindowLength + 1, 0.0));
}

TEST(FeatureSpec, JsonRoundTripIsExact) {
  for (const char* name : {"reference-64", "vibration", "curve", "curve-statistics", "statistics"}) {
    FeatureSpec spec = *FeatureSpec::named(name, 2, 2000, 10'000.0);
    spec.channel_names = {"die", "ram \"left\" \xC3\xA4"};
    const auto read = FeatureSpec::parse_json(spec.to_json());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->to_json(), spec.to_json());
    EXPECT_EQ(read->feature_names(), spec.feature_names());
  }
}

TEST(FeatureSpec, ParsingIsStrict) {
  const std::string good = reference().to_json();
  const auto message = [](const std::string& text) {
    const auto read = FeatureSpec::parse_json(text);
    return read ? std::string("accepted") : read.error().message;
  };
  EXPECT_THAT(message(replaced(good, "\"nfft\"", "\"extra\": 1, \"nfft\"")),
              HasSubstr("groups[1]: unknown key 'extra'"));
  EXPECT_THAT(message(replaced(good, "\"bins\": 200,", "")), HasSubstr("'bins' is missing"));
  EXPECT_THAT(message(replaced(good, "\"bins\": 200", "\"bins\": -1")), HasSubstr("groups[2].bins"));
  EXPECT_THAT(message(replaced(good, "\"bins\": 200", "\"bins\": 1e3")), HasSubstr("groups[2].bins"));
  EXPECT_THAT(message(replaced(good, "\"channels\": 1", "\"channels\": 1, \"channels\": 2")), HasSubstr("twice"));
  EXPECT_THAT(message(replaced(good, "\"version\": 1", "\"version\": 2")), HasSubstr("version 2"));
  EXPECT_THAT(message(replaced(good, "\"log_mel\"", "\"cepstrum\"")), HasSubstr("'cepstrum' is not known"));
  EXPECT_THAT(message(replaced(good, "\"frame\": 256", "\"frame\": 255")), HasSubstr("power of two"));
  EXPECT_THAT(message(replaced(good, "\"hop\": 128", "\"hop\": 1")), HasSubstr("hop 1"));
  EXPECT_THAT(message(good + "x"), HasSubstr("not JSON"));
  EXPECT_THAT(message(std::string(1000, '[')), HasSubstr("nested"));
  EXPECT_THAT(message(std::string((1 << 18) + 1, ' ')), HasSubstr("at most"));
  EXPECT_THAT(message("[]"), HasSubstr("must be an object"));
}

TEST(FeatureSpec, ValidateHoldsTheLimits) {
  FeatureSpec spec = reference();
  spec.groups.assign(33, TimeFeatures{});
  EXPECT_FALSE(spec.validate());
  spec = reference();
  spec.groups = {SpectrumFeatures{.nfft = 2048, .edges_hz = {0, 500, 400}}};
  EXPECT_FALSE(spec.validate());
  spec.groups = {SpectrumFeatures{.nfft = 1024, .edges_hz = {0, 500}}};
  EXPECT_FALSE(spec.validate());
  spec.groups = {EnvelopeFeatures{.nfft = 2048, .low_hz = 4000, .high_hz = 4001, .bins = 10, .groups = 2}};
  EXPECT_FALSE(spec.validate());
  spec.groups = {EnvelopeFeatures{.nfft = 2048, .low_hz = 0, .high_hz = 5000, .bins = 1024, .groups = 1024}};
  EXPECT_TRUE(spec.validate());
  spec.channels = 64;
  EXPECT_TRUE(spec.validate());  // 65,536 features, just the limit
  spec.groups.emplace_back(TimeFeatures{});
  ASSERT_FALSE(spec.validate());
  EXPECT_EQ(spec.validate().error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace millwright::signal
