// SPDX-License-Identifier: Apache-2.0
#include "recording/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "recording/recording_fixture.h"
#include "recording/window_cutter.h"

namespace millwright::recording {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RecordingTest : public RecordingFixture {};

TEST_F(RecordingTest, RawSamplesNeedARate) {
  const auto path = write("press.f32", std::string(8, '\0'));
  EXPECT_THAT(error_of(path),
              testing::StrEq(path.string() + ": raw samples carry no rate; give the rate in Hz (--rate)"));
}

TEST_F(RecordingTest, ReadsRawSamplesAndScalesThem) {
  const std::vector<int16_t> counts = {0, 1, -2, 32767, -32768};
  const auto path = write("press.i16", as_text(std::as_bytes(std::span(counts))));
  const Recording read = must_read(path, {.rate_hz = 12000.0, .scale = 0.5});
  EXPECT_EQ(read.rate_hz, 12000.0);
  EXPECT_EQ(read.length, 5U);
  EXPECT_EQ(read.windows, 0U);
  EXPECT_THAT(read.samples, ElementsAre(0.0F, 0.5F, -1.0F, 16383.5F, -16384.0F));
}

TEST_F(RecordingTest, RawReadsMoreThanOneChunk) {
  Random random(7);
  std::vector<float> samples(700'000);
  for (float& sample : samples) sample = static_cast<float>(random.normal());
  const auto path = write("press.F32", as_text(std::as_bytes(std::span(samples))));
  EXPECT_EQ(must_read(path, {.rate_hz = 1.0}).samples, samples);
}

TEST_F(RecordingTest, RefusesHalfASample) {
  EXPECT_THAT(error_of(write("a.f32", "123456"), {.rate_hz = 1.0}), HasSubstr("6 bytes are not a whole number"));
}

TEST_F(RecordingTest, RefusesImpossibleRateAndScale) {
  const auto path = write("press.f32", std::string(8, '\0'));
  EXPECT_THAT(error_of(path, {.rate_hz = 0.0}), HasSubstr("rate"));
  EXPECT_THAT(error_of(path, {.rate_hz = -5.0}), HasSubstr("rate"));
  EXPECT_THAT(error_of(path, {.rate_hz = std::nan("")}), HasSubstr("rate"));
  EXPECT_THAT(error_of(path, {.rate_hz = 1.0, .scale = 0.0}), HasSubstr("scale"));
}

TEST_F(RecordingTest, NamesUnknownKindsAndMissingFiles) {
  EXPECT_THAT(error_of(write("press.txt", "1\n")), HasSubstr("press.txt: unknown kind of file; .npy .csv"));
  const auto missing = read_recording(folder() / "none.csv");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("none.csv"));
  std::filesystem::create_directory(folder() / "folder.csv");
  EXPECT_THAT(error_of(folder() / "folder.csv"), HasSubstr("not a regular file"));
}

TEST_F(RecordingTest, RefusesAFileAboveTheLimitWithoutReadingIt) {
  const auto path = write("huge.f32", "");
  std::filesystem::resize_file(path, kMaxFileBytes + 4);  // sparse
  const auto read = read_recording(path, {.rate_hz = 1.0});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(read.error().message, HasSubstr("the limit is 4294967296"));
}

TEST_F(RecordingTest, ListsAFolderSortedAndPassesOverOtherFiles) {
  for (const char* name : {"b.csv", "a.npy", "notes.txt", ".hidden.csv", "C.WAV"}) write(name, "x");
  std::filesystem::create_directory(folder() / "sub.csv");
  const auto found = list_recordings(folder());
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, ElementsAre(folder() / "C.WAV", folder() / "a.npy", folder() / "b.csv"));
}

TEST_F(RecordingTest, AnEmptyFolderIsAnError) {
  const auto found = list_recordings(folder());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(found.error().message, HasSubstr("no recordings in this folder"));
  EXPECT_EQ(list_recordings(folder() / "none").error().code, ErrorCode::kNotFound);
}

TEST_F(RecordingTest, ReadAllNamesBothFilesThatDiffer) {
  write("a.csv", "time,x\n0,1\n0.001,2\n0.002,3\n");
  write("b.csv", "time,x\n0,1\n0.002,2\n0.004,3\n");
  EXPECT_THAT(all_error(),
              testing::AllOf(HasSubstr("mixed rates"), HasSubstr("a.csv has 1000 Hz"), HasSubstr("b.csv has 500 Hz")));
  write("b.csv", "time,x,y\n0,1,1\n0.001,2,2\n");
  EXPECT_THAT(all_error(),
              testing::AllOf(HasSubstr("mixed channels"), HasSubstr("a.csv has 1"), HasSubstr("b.csv has 2")));
  write("b.csv", "x\n1\n2\n");
  EXPECT_THAT(all_error(), testing::AllOf(HasSubstr("b.csv carries none"), HasSubstr("a.csv has 1000 Hz")));
}

TEST_F(RecordingTest, ReadAllRefusesWindowsOfDifferentLengths) {
  const std::vector<float> samples(12, 1.0F);
  ASSERT_TRUE(write_npy(folder() / "a.npy", samples, {3, 4}));
  ASSERT_TRUE(write_npy(folder() / "b.npy", samples, {4, 3}));
  EXPECT_THAT(all_error(), HasSubstr("mixed windows"));
}

TEST_F(RecordingTest, ReadAllKeepsTheOrder) {
  write("b.csv", "x\n1\n2\n");
  write("a.csv", "x\n3\n4\n");
  const std::vector<std::filesystem::path> paths = {folder() / "b.csv", folder()};
  const auto all = read_all(paths, {.rate_hz = 10.0});
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3U);
  EXPECT_THAT((*all)[0].samples, ElementsAre(1.0F, 2.0F));
  EXPECT_THAT((*all)[1].samples, ElementsAre(3.0F, 4.0F));
  EXPECT_EQ((*all)[2].path, folder() / "b.csv");
}

TEST_F(RecordingTest, NamesThePlaceOfWhatIsNotFinite) {
  const auto path = write("press.csv", "# made by hand\na;Pressure\n1;2\n3;4\n5;nan\ninf;8\n");
  const Recording read = must_read(path);
  const auto place = find_not_finite(read);
  ASSERT_TRUE(place);
  EXPECT_EQ(describe(read, *place), path.string() + ": line 5, column 'Pressure'");

  const Recording windows = must_read(reference("not_finite.npy"));
  const auto in_window = find_not_finite(windows);
  ASSERT_TRUE(in_window);
  EXPECT_THAT(describe(windows, *in_window), testing::EndsWith("not_finite.npy: window 1, channel 0, sample 1"));
  EXPECT_FALSE(find_not_finite(must_read(reference("windows.npy"))));
}

TEST_F(RecordingTest, CutsALongRecordingIntoPlanarWindows) {
  const Recording read = must_read(write("a.csv", "x,y\n0,10\n1,11\n2,12\n3,13\n4,14\n5,15\n"), {.rate_hz = 2.0});
  auto cutter = cut_windows(read, 3, 2);
  ASSERT_TRUE(cutter);
  ASSERT_EQ(cutter->size(), 2U);
  std::vector<std::vector<float>> windows;
  for (const auto window : *cutter) windows.emplace_back(window.begin(), window.end());
  EXPECT_THAT(windows, ElementsAre(ElementsAre(0, 1, 2, 10, 11, 12), ElementsAre(2, 3, 4, 12, 13, 14)));
  EXPECT_EQ(cutter->start_s(1), 1.0);
  EXPECT_EQ(cutter->first_sample(1), 2U);
}

TEST_F(RecordingTest, GivesWindowsAsTheyAre) {
  const Recording read = must_read(reference("channels.npy"));
  auto cutter = cut_windows(read, 0, 0);
  ASSERT_TRUE(cutter);
  EXPECT_EQ(cutter->size(), 2U);
  EXPECT_EQ(cutter->channels(), 3U);
  EXPECT_EQ(cutter->length(), 4U);
  EXPECT_EQ(cutter->at(1).data(), read.window(1).data());
  EXPECT_THAT(cut_windows(read, 5, 5).error().message, HasSubstr("windows of 4 samples"));
}

TEST_F(RecordingTest, ARecordingShorterThanAWindowIsAnError) {
  const Recording read = must_read(write("a.csv", "x\n1\n2\n"));
  EXPECT_THAT(cut_windows(read, 3, 1).error().message, HasSubstr("2 samples do not fill one window of 3"));
  EXPECT_THAT(cut_windows(read, 0, 1).error().message, HasSubstr("give their length and hop"));
}

}  // namespace
}  // namespace millwright::recording
