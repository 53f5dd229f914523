// SPDX-License-Identifier: Apache-2.0
#include "recording/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/files.h"
#include "recording/recording.h"
#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatasetTest : public RecordingFixture {
 protected:
  std::filesystem::path three_samples() {
    std::vector<float> values(12);
    std::iota(values.begin(), values.end(), 0.0F);
    const auto path = folder() / "samples.npy";
    EXPECT_TRUE(write_npy(path, values, {3, 2, 2}));
    return path;
  }
};

TEST_F(DatasetTest, GivesOneSampleAtATime) {
  const auto set = open_dataset(three_samples());
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ((*set)->size(), 3U);
  EXPECT_THAT((*set)->shape(), ElementsAre(2, 2));
  std::vector<float> out(4);
  ASSERT_TRUE((*set)->read(2, out));
  EXPECT_THAT(out, ElementsAre(8, 9, 10, 11));
  ASSERT_TRUE((*set)->read(0, out));
  EXPECT_THAT(out, ElementsAre(0, 1, 2, 3));
}

TEST_F(DatasetTest, APartIsCountedFromItsBegin) {
  const auto set = open_dataset(three_samples());
  ASSERT_TRUE(set);
  const auto part = part_of(**set, 1, 2);
  std::vector<float> out(4);
  ASSERT_TRUE(part->read(0, out));
  EXPECT_THAT(out, ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(part->size(), 2U);
  EXPECT_NE(*part->digest(), *(*set)->digest());
}

TEST_F(DatasetTest, EqualFilesHaveEqualDigests) {
  const auto path = three_samples();
  const auto first = open_dataset(path);
  const auto second = open_dataset(path);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*(*first)->digest(), *(*second)->digest());
}

TEST_F(DatasetTest, SaysWhatIsWrongWithAFile) {
  const auto path = three_samples();
  const auto bytes = read_file(path, 1 << 20);
  ASSERT_TRUE(bytes);
  ASSERT_TRUE(write_file_atomic(path, std::span(*bytes).first(bytes->size() - 4)));
  const auto cut = open_dataset(path);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, HasSubstr("cut short"));
  EXPECT_THAT(cut.error().message, HasSubstr("samples.npy"));

  ASSERT_TRUE(write_npy(path, std::vector<float>(4), {4}));
  EXPECT_FALSE(open_dataset(path));
  EXPECT_FALSE(open_dataset(folder() / "none.npy"));
  EXPECT_FALSE(open_dataset(folder() / "samples.bin"));
}

}  // namespace
}  // namespace millwright::recording
