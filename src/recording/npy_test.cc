// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using testing::HasSubstr;

class NpyTest : public RecordingFixture {
 protected:
  // A file of format 1.0 with this dictionary and this many bytes of samples.
  std::filesystem::path with_header(std::string_view dictionary, size_t bytes) {
    std::string text = "\x93NUMPY";
    text += {'\x01', '\x00', static_cast<char>(dictionary.size()), '\x00'};
    text += dictionary;
    return write("made.npy", text.append(bytes, '\0'));
  }
};

TEST_F(NpyTest, ReadsEveryTypeNumPyWrites) {
  for (const char* type : {"f4", "f8"}) {
    EXPECT_EQ(must_read(reference(std::string(type) + ".npy")).samples, p(6, 0.25)) << type;
  }
  for (const char* type : {"i1", "i2", "i4", "i8"}) {
    EXPECT_EQ(must_read(reference(std::string(type) + ".npy"), {.scale = 0.5}).samples, p(6, 0.5)) << type;
  }
  for (const char* type : {"u1", "u2", "u4", "u8"}) {
    EXPECT_EQ(must_read(reference(std::string(type) + ".npy")).samples, p(6, 1.0, 11)) << type;
  }
}

TEST_F(NpyTest, OneDimensionIsARecordingTwoAreWindowsThreeHaveChannels) {
  const Recording one = must_read(reference("f4.npy"), {.rate_hz = 10.0});
  EXPECT_EQ(one.windows, 0U);
  EXPECT_EQ(one.length, 6U);
  EXPECT_EQ(one.rate_hz, 10.0);
  const Recording two = must_read(reference("windows.npy"));
  EXPECT_EQ(two.windows, 3U);
  EXPECT_EQ(two.length, 5U);
  EXPECT_EQ(two.channels, 1U);
  EXPECT_EQ(two.rate_hz, 0.0);
  EXPECT_EQ(two.samples, p(15, 0.25));
  const Recording three = must_read(reference("channels.npy"));
  EXPECT_EQ(three.windows, 2U);
  EXPECT_EQ(three.channels, 3U);
  EXPECT_EQ(three.length, 4U);
  EXPECT_EQ(three.samples, p(24, 0.25));
}

TEST_F(NpyTest, FortranOrderIsTurned) {
  EXPECT_EQ(must_read(reference("fortran.npy")).samples, p(24, 0.25));
  EXPECT_EQ(must_read(reference("fortran2.npy")).samples, p(15, 0.25));
}

TEST_F(NpyTest, ReadsFormatTwoAndThree) {
  EXPECT_EQ(must_read(reference("version2.npy")).samples, p(15, 0.25));
  EXPECT_EQ(must_read(reference("version3.npy")).samples, p(15, 0.25));
}

TEST_F(NpyTest, RefusesWhatItCannotMean) {
  EXPECT_THAT(error_of(reference("big_endian.npy")), HasSubstr("big-endian samples ('>f4'); save array.astype('<f4')"));
  EXPECT_THAT(error_of(reference("complex.npy")), HasSubstr("samples of type '<c8'"));
  EXPECT_THAT(error_of(reference("half.npy")), HasSubstr("samples of type '<f2'"));
  EXPECT_THAT(error_of(reference("structured.npy")), HasSubstr("structured array"));
  EXPECT_THAT(error_of(reference("scalar.npy")), HasSubstr("a single number"));
  EXPECT_THAT(error_of(reference("four_dimensions.npy")), HasSubstr("more than 3 dimensions"));
  EXPECT_THAT(error_of(reference("no_windows.npy")), HasSubstr("holds no samples"));
}

TEST_F(NpyTest, EveryTruncationIsAnError) {
  const std::string whole = bytes_of(reference("channels.npy"));
  ASSERT_GT(whole.size(), 100U);
  for (size_t length = 0; length < whole.size(); ++length) error_of(write("cut.npy", whole.substr(0, length)));
  EXPECT_THAT(error_of(write("more.npy", whole + "x")), HasSubstr("97 bytes of samples, its shape needs 96"));
}

TEST_F(NpyTest, ParsesTheHeaderStrictly) {
  must_read(with_header("{\"shape\":(2,),\"descr\":\"<f4\",\"fortran_order\":False}", 8));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False}", 4)), HasSubstr("is missing"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 4)),
              HasSubstr("fortran_order"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4)),
              HasSubstr("not a number"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4)),
              HasSubstr("stands twice"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4)),
              HasSubstr("unknown key 'x'"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} import os", 4)),
              HasSubstr("follows its closing brace"));
}

TEST_F(NpyTest, AnEnormousShapeDoesNotAllocate) {
  const auto error = error_of(with_header(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4, 4611686018427387905)}", 0));
  EXPECT_THAT(error, HasSubstr("the limit is"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,)}", 0)),
              HasSubstr("its shape needs 4000000000"));
  EXPECT_THAT(error_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 65, 1)}", 260)),
              HasSubstr("65 channels, the limit is 64"));
}

TEST_F(NpyTest, WritesWhatItReads) {
  const auto path = folder() / "out.npy";
  const std::vector<float> samples = p(24, 0.25);
  ASSERT_TRUE(write_npy(path, samples, {2, 3, 4}));
  EXPECT_EQ(bytes_of(path), bytes_of(reference("channels.npy")));  // NumPy's own file, byte for byte
  ASSERT_TRUE(write_npy(path, samples, {24}));
  EXPECT_EQ(must_read(path).samples, samples);
  EXPECT_THAT(write_npy(path, samples, {5, 5}).error().message, HasSubstr("24 samples do not fill a shape of (5, 5)"));
  EXPECT_FALSE(write_npy(path, samples, {}));
  EXPECT_FALSE(write_npy(path, {}, {1ULL << 32, 1ULL << 32}));
}

}  // namespace
}  // namespace millwright::recording
