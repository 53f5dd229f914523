// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using testing::HasSubstr;

class WavTest : public RecordingFixture {
 protected:
  // The reference files hold p(k) with k = 2 * frame + channel; recordings are planar.
  static std::vector<float> planar(double scale) {
    const std::vector<float> frames = p(16, scale);
    std::vector<float> samples;
    for (size_t c = 0; c < 2; ++c) {
      for (size_t i = 0; i < 8; ++i) samples.push_back(frames[2 * i + c]);
    }
    return samples;
  }

  static std::string with_u32(std::string bytes, size_t at, uint32_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  }
};

TEST_F(WavTest, ReadsIntegersAsShareOfFullScale) {
  for (const char* name : {"pcm8.wav", "pcm16.wav", "pcm24.wav", "pcm32.wav"}) {
    const Recording read = must_read(reference(name));
    EXPECT_EQ(read.rate_hz, 10000.0) << name;
    EXPECT_EQ(read.channels, 2U) << name;
    EXPECT_EQ(read.length, 8U) << name;
    EXPECT_EQ(read.windows, 0U) << name;
    EXPECT_EQ(read.samples, planar(1.0 / 16.0)) << name;
  }
}

TEST_F(WavTest, ReadsFloatsAsTheyAre) {
  for (const char* name : {"float32.wav", "float64.wav"}) {
    const Recording read = must_read(reference(name));
    EXPECT_EQ(read.rate_hz, 48000.0) << name;
    EXPECT_EQ(read.samples, planar(0.25)) << name;
  }
}

TEST_F(WavTest, ScaleIsPhysicalUnitsAtFullScale) {
  EXPECT_EQ(must_read(reference("pcm16.wav"), {.scale = 160.0}).samples, planar(10.0));
}

TEST_F(WavTest, AnotherRateThanTheFilesIsAnError) {
  EXPECT_EQ(must_read(reference("pcm16.wav"), {.rate_hz = 10000.0}).rate_hz, 10000.0);
  EXPECT_THAT(error_of(reference("pcm16.wav"), {.rate_hz = 12000.0}),
              HasSubstr("the file says 10000 Hz, 12000 Hz was given"));
}

TEST_F(WavTest, EveryTruncationIsAnError) {
  for (const char* name : {"pcm16.wav", "float32.wav"}) {
    const std::string whole = bytes_of(reference(name));
    ASSERT_GT(whole.size(), 50U);
    for (size_t length = 0; length < whole.size(); ++length) error_of(write("cut.wav", whole.substr(0, length)));
    EXPECT_THAT(error_of(write("cut.wav", whole.substr(0, whole.size() - 1))), HasSubstr("cut short"));
  }
}

TEST_F(WavTest, RefusesOtherFormatsUnderItsName) {
  EXPECT_THAT(error_of(write("a.wav", "fLaC" + std::string(100, '\0'))), HasSubstr("not a WAV file"));
  std::string adpcm = bytes_of(reference("pcm16.wav"));
  adpcm[20] = 2;
  EXPECT_THAT(error_of(write("a.wav", adpcm)), HasSubstr("WAV coding 2 with 16 bits; save it as PCM"));
}

TEST_F(WavTest, SizesThatLieAreErrors) {
  const std::string whole = bytes_of(reference("pcm16.wav"));  // the format begins at 20, the samples' size is at 40
  EXPECT_THAT(error_of(write("a.wav", with_u32(whole, 40, 0xFFFFFFFF))), HasSubstr("cut short"));
  EXPECT_THAT(error_of(write("a.wav", with_u32(whole, 40, 0))), HasSubstr("no samples"));
  EXPECT_THAT(error_of(write("a.wav", with_u32(whole, 16, 0xFFFFFFF0))), HasSubstr("cut short"));
  EXPECT_THAT(error_of(write("a.wav", with_u32(whole, 22, 0xFFFF))), HasSubstr("do not fit frames"));
}

}  // namespace
}  // namespace millwright::recording
