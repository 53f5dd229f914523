// SPDX-License-Identifier: Apache-2.0
#include "recording/raw_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/files.h"
#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RawSamplesTest : public RecordingFixture {
 protected:
  template <typename T>
  std::filesystem::path file(const std::string& name, const std::vector<T>& values) {
    const auto path = folder() / name;
    EXPECT_TRUE(write_file_atomic(path, std::as_bytes(std::span(values))));
    return path;
  }
  static RawFormat format(std::string_view shape, std::string_view type) {
    auto made = parse_raw_format(shape, type);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
};

TEST_F(RawSamplesTest, ReadsSamplesOfAFile) {
  const auto set = open_raw_samples(file<float>("a.raw", {0, 1, 2, 3, 4, 5, 6, 7}), format("2x2", "float32"));
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ((*set)->size(), 2U);
  EXPECT_THAT((*set)->shape(), ElementsAre(2, 2));
  std::vector<float> out(4);
  ASSERT_TRUE((*set)->read(1, out));
  EXPECT_THAT(out, ElementsAre(4, 5, 6, 7));
}

TEST_F(RawSamplesTest, ReadsAFoldersFilesInOrderOfTheirNames) {
  const auto all = file<int16_t>("all.data", {5, -6, -1, 2, -3, 4});
  std::filesystem::create_directory(folder() / "set");
  file<int16_t>("set/b.bin", {-1, 2, -3, 4});
  file<int16_t>("set/a.RAW", {5, -6});
  file<int16_t>("set/notes.txt", {9});
  const auto set = open_raw_samples(folder() / "set", format("2", "int16"));
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ((*set)->size(), 3U);
  std::vector<float> out(2);
  for (const auto& [index, expected] : {std::pair(2, -3.0F), {0, 5.0F}, {1, -1.0F}}) {
    ASSERT_TRUE((*set)->read(static_cast<size_t>(index), out));
    EXPECT_EQ(out[0], expected) << index;
  }
  const auto whole = open_raw_samples(all, format("2", "int16"));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ((*set)->digest().value(), (*whole)->digest().value());
}

TEST_F(RawSamplesTest, AWrongSizeIsToldWithBothNumbers) {
  const auto short_file = open_raw_samples(file<uint8_t>("a.bin", {1, 2, 3, 4, 5}), format("3", "uint8"));
  ASSERT_FALSE(short_file);
  EXPECT_EQ(short_file.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(short_file.error().message, HasSubstr("a.bin: 5 bytes; a sample of shape 3 of uint8 has 3"));
  const auto empty = open_raw_samples(file<uint8_t>("b.bin", {}), format("3", "uint8"));
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("0 bytes"));
  std::filesystem::create_directory(folder() / "none");
  const auto none = open_raw_samples(folder() / "none", format("3", "uint8"));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr(".raw"));
}

TEST_F(RawSamplesTest, RefusesFormatsThatAreNone) {
  for (const char* shape : {"", "x", "3x", "0", "-1x2", "3x4y", "99999999999999999999", "1x1x1x1x1x1x1x1x1"}) {
    EXPECT_FALSE(parse_raw_format(shape, "float32")) << shape;
  }
  EXPECT_EQ(parse_raw_format("65536x65536x65536", "int8").error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(parse_raw_format("3", "float16").error().message, HasSubstr("'float16'"));
}

}  // namespace
}  // namespace millwright::recording
