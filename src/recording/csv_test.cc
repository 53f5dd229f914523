// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

class CsvTest : public RecordingFixture {
 protected:
  Recording read(std::string_view text, const ReadOptions& options = {}) {
    return must_read(write("press.csv", text), options);
  }
  std::string error(std::string_view text, const ReadOptions& options = {}) {
    return error_of(write("press.csv", text), options);
  }
};

TEST_F(CsvTest, ReadsColumnsAsChannels) {
  const Recording table = read("x,y\n1,-2.5\n3e2,+4\n");
  EXPECT_EQ(table.channels, 2U);
  EXPECT_EQ(table.length, 2U);
  EXPECT_EQ(table.windows, 0U);
  EXPECT_EQ(table.rate_hz, 0.0);
  EXPECT_THAT(table.channel_names, ElementsAre("x", "y"));
  EXPECT_THAT(table.samples, ElementsAre(1.0F, 300.0F, -2.5F, 4.0F));
  EXPECT_THAT(table.notes, IsEmpty());
}

TEST_F(CsvTest, TellsTheDelimiter) {
  for (const char* text : {"1,2\n3,4\n", "1;2\n3;4\n", "1\t2\n3\t4\n", "1 , 2\r\n3 , 4\r\n", "1;2\n3;4"}) {
    const Recording table = read(text);
    EXPECT_THAT(table.samples, ElementsAre(1, 3, 2, 4)) << text;
    EXPECT_THAT(table.channel_names, IsEmpty()) << text;
  }
}

TEST_F(CsvTest, ReadsDecimalCommas) {
  EXPECT_THAT(read("a;b\n1,5;-2\n3;4,25e1\n").samples, ElementsAre(1.5F, 3.0F, -2.0F, 42.5F));
  EXPECT_THAT(error("a;b\n1.000,5;2\n"), EndsWith("line 2, column 1 ('a'): '1.000,5' is not a number"));
}

TEST_F(CsvTest, LeavesTimesOutAndTakesTheRateFromThem) {
  const Recording table = read(
      "datetime;a;b\n2020-02-08 13:30:47;1;2\n2020-02-08 13:30:48;3;4\n2020-02-08 13:30:50;5;6\n2020-02-08 "
      "13:30:51;7;8\n");
  EXPECT_EQ(table.rate_hz, 1.0);
  EXPECT_THAT(table.channel_names, ElementsAre("a", "b"));
  EXPECT_EQ(read("time,x\n0,1\n0.0001,2\n0.0002,3\n").rate_hz, 10000.0);
  EXPECT_DOUBLE_EQ(read("t [ms],x\n0,1\n20,2\n40,3\n").rate_hz, 50.0);
  EXPECT_DOUBLE_EQ(read("2020-02-08T23:59:59.5Z,1\n2020-02-09T00:00:00.0Z,2\n").rate_hz, 2.0);
  EXPECT_DOUBLE_EQ(read("Datum;Uhrzeit;x\n8.2.2020;13:30:47,25;1,5\n8.2.2020;13:30:47,50;2,5\n").rate_hz, 4.0);
  EXPECT_DOUBLE_EQ(read("timestamp,x\n1700000000000,1\n1700000000010,2\n").rate_hz, 100.0);
}

TEST_F(CsvTest, CoarseTimeStampsGiveTheMeanRate) {
  EXPECT_DOUBLE_EQ(read("time,x\n0,1\n0,1\n1,1\n1,1\n2,1\n").rate_hz, 2.0);
}

TEST_F(CsvTest, SaysWhenTimesDoNotTellTheRate) {
  EXPECT_THAT(read("time,x\n0,1\n1,2\n0.5,3\n").notes, ElementsAre(HasSubstr("'time' does not tell the rate")));
  EXPECT_THAT(read("time,x\n0,1\n1,2\n5,3\n6,2\n").notes, ElementsAre(HasSubstr("uneven steps")));
}

TEST_F(CsvTest, AGivenRateMustFitTheTimes) {
  constexpr std::string_view kTable = "time,x\n0,1\n0.001,2\n0.002,3\n";
  EXPECT_EQ(read(kTable, {.rate_hz = 1010.0}).rate_hz, 1010.0);
  EXPECT_THAT(error(kTable, {.rate_hz = 2000.0}), HasSubstr("the file says 1000 Hz, 2000 Hz was given"));
}

TEST_F(CsvTest, ChoosesAndSkipsColumns) {
  constexpr std::string_view kTable = "x,y,status\n1,2,OK\n3,4,NG\n";
  EXPECT_THAT(read(kTable, {.skip_columns = {"status"}}).channel_names, ElementsAre("x", "y"));
  EXPECT_THAT(read(kTable, {.columns = {"y"}}).samples, ElementsAre(2, 4));
  EXPECT_THAT(read("1,2\n3,4\n", {.columns = {"2"}}).samples, ElementsAre(2, 4));
  EXPECT_THAT(error(kTable, {.columns = {"z"}}), HasSubstr("no column 'z'; there are 'x', 'y', 'status'"));
  EXPECT_THAT(error(kTable, {.skip_columns = {"z"}}), HasSubstr("no column 'z'"));
  EXPECT_THAT(error(kTable, {.columns = {"x"}, .skip_columns = {"x"}}), HasSubstr("no column is left"));
}

TEST_F(CsvTest, SaysThatLabelsAreReadAsChannels) {
  const Recording table = read("x;anomaly;changepoint\n1;0;0\n2;1;0\n");
  EXPECT_EQ(table.channels, 3U);
  EXPECT_THAT(table.notes, ElementsAre(HasSubstr("'anomaly', 'changepoint' may be labels")));
  EXPECT_THAT(read("x;anomaly;changepoint\n1;0;0\n", {.skip_columns = {"anomaly", "changepoint"}}).notes, IsEmpty());
}

TEST_F(CsvTest, LeavesARowIndexOutAndSaysSo) {
  const Recording table = read(",x\n0,5\n1,6\n");
  EXPECT_THAT(table.samples, ElementsAre(5, 6));
  EXPECT_THAT(table.notes, ElementsAre(HasSubstr("row index")));
}

TEST_F(CsvTest, NamesLineAndColumnOfAText) {
  EXPECT_THAT(error("x,y\n1,2\n3,oops\n"), EndsWith("press.csv: line 3, column 2 ('y'): 'oops' is not a number"));
  EXPECT_THAT(error("1,2\n3,1.2.3\n"), EndsWith("press.csv: line 2, column 2: '1.2.3' is not a number"));
  EXPECT_THAT(error("x,status\n1,OK\n"), EndsWith("line 2, column 2 ('status'): 'OK' is not a number"));
}

TEST_F(CsvTest, NamesTheLineOfARaggedRow) {
  EXPECT_THAT(error("x,y\n1,2\n3\n"), EndsWith("press.csv: line 3: 1 columns, the rows before have 2"));
  EXPECT_THAT(error("x,y\n1,2\n3,4,5\n"), EndsWith("line 3: 3 columns, the rows before have 2"));
  EXPECT_THAT(error("x,y,z\n1,2\n"), EndsWith("line 2: 2 columns, the header has 3"));
  EXPECT_THAT(error("x\n1\n\n2\n"), EndsWith("line 3: empty, and rows follow"));
}

TEST_F(CsvTest, EmptyCellsAndNanAreNan) {
  const Recording table = read("x,y\n1,\n,nan\n-inf,3\n");
  EXPECT_TRUE(std::isnan(table.samples[1]));
  EXPECT_TRUE(std::isinf(table.samples[2]));
  EXPECT_TRUE(std::isnan(table.samples[3]));
  EXPECT_TRUE(std::isnan(table.samples[4]));
}

TEST_F(CsvTest, ReadsQuotesByteOrderMarkAndTrailingBlankLines) {
  const Recording table = read("\xef\xbb\xbf\"x, mm\",\"y\"\n\"1\",2\n3,4\n\n  \n");
  EXPECT_THAT(table.channel_names, ElementsAre("x, mm", "y"));
  EXPECT_THAT(table.samples, ElementsAre(1, 3, 2, 4));
  EXPECT_EQ(table.first_line, 2U);
  EXPECT_THAT(error("x,\"y\n1,2\n"), HasSubstr("column 2: a quote is not closed"));
  EXPECT_THAT(error("x,y\n1,\"2\"9\n"), HasSubstr("column 2: something stands behind its closing quote"));
}

TEST_F(CsvTest, RefusesEmptyBinaryAndOverlongText) {
  EXPECT_THAT(error(""), HasSubstr("holds no rows"));
  EXPECT_THAT(error("\n# only a comment\n"), HasSubstr("holds no rows"));
  EXPECT_THAT(error("x,y\n"), HasSubstr("a header and no rows"));
  EXPECT_THAT(error(std::string_view("\xff\xfe"
                                     "1\0,\0",
                                     6)),
              HasSubstr("UTF-16"));
  EXPECT_THAT(error(std::string(2'000'000, '1')), HasSubstr("line 1 is longer than 1048576 bytes"));
  EXPECT_THAT(error(std::string(5000, ',') + "\n"), HasSubstr("more than 4096 columns"));
  EXPECT_THAT(error(std::string(100, ',') + "\n"), HasSubstr("101 channels, the limit is 64"));
}

TEST_F(CsvTest, MessagesHoldNoControlCharacters) {
  EXPECT_THAT(error("x\n1\n\x1b[31m\n"), EndsWith("'?[31m' is not a number"));
}

TEST_F(CsvTest, ReadsMoreThanOneBufferWithoutTrailingLineFeed) {
  std::string text = "a,b\n";
  for (int i = 0; i < 200'000; ++i) text += fmt::format("{},{}\n", i, -i);
  text.pop_back();
  const Recording table = read(text);
  ASSERT_EQ(table.length, 200'000U);
  for (size_t i = 0; i < table.length; ++i) {
    ASSERT_EQ(table.channel(0)[i], static_cast<float>(i));
    ASSERT_EQ(table.channel(1)[i], -static_cast<float>(i));
  }
}

}  // namespace
}  // namespace millwright::recording
