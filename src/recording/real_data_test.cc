// SPDX-License-Identifier: Apache-2.0
// Real .mat files of the Case Western Reserve University Bearing Data Center against int16 counts that were taken out
// of them with other tools (index.csv beside them says with which scale). The files are not part of this project.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/numbers.h"
#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

std::filesystem::path data_folder() {
  const char* given = std::getenv("MILLWRIGHT_DATA");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(MILLWRIGHT_SOURCE_DIR) / "../shared/data";
}

class CwruTest : public RecordingFixture {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(cwru_ / "index.csv")) {
      GTEST_SKIP() << "no real recordings at " << cwru_ << "; set MILLWRIGHT_DATA to the folder that holds cwru/";
    }
  }

  // The scale that index.csv states for an .i16 file.
  [[nodiscard]] double scale_of(const std::string& file) const {
    std::ifstream index(cwru_ / "index.csv");
    for (std::string line; std::getline(index, line);) {
      std::istringstream cells(line);
      std::vector<std::string> row;
      for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
      if (row.size() > 4 && row[0] == "i16/" + file) return parse_double(row[4]).value_or(0.0);
    }
    return 0.0;
  }

  void compare(const std::string& mat, const std::string& variable, const std::string& counts, double rate_hz) {
    SCOPED_TRACE(mat);
    const double scale = scale_of(counts);
    ASSERT_GT(scale, 0.0);
    const Recording from_mat = must_read(cwru_ / "mat" / mat, {.rate_hz = rate_hz, .variable = variable});
    const Recording from_counts = must_read(cwru_ / "i16" / counts, {.rate_hz = rate_hz, .scale = scale});
    ASSERT_EQ(from_mat.length, from_counts.length);
    ASSERT_GT(from_mat.length, 100'000U);
    for (size_t i = 0; i < from_mat.length; ++i) {
      // The counts reproduce the file's doubles within 1e-6; the rest is the rounding of two floats.
      ASSERT_NEAR(from_mat.samples[i], from_counts.samples[i], 1e-6 + 1e-6 * std::abs(from_counts.samples[i])) << i;
    }
  }

  std::filesystem::path cwru_ = data_folder() / "cwru";
};

TEST_F(CwruTest, MatFilesHoldTheSameSamplesAsTheCounts) {
  compare("12k_Drive_End_B007_0_118.mat", "X118_DE_time", "12k_Drive_End_B007_0_118_DE.i16", 12000.0);
  compare("12k_Drive_End_IR007_0_105.mat", "X105_DE_time", "12k_Drive_End_IR007_0_105_DE.i16", 12000.0);
  compare("12k_Drive_End_OR007@6_0_130.mat", "X130_DE_time", "12k_Drive_End_OR007@6_0_130_DE.i16", 12000.0);
  compare("normal_0_97.mat", "X097_DE_time", "normal_0_97_DE.i16", 48000.0);
  compare("normal_0_97.mat", "X097_FE_time", "normal_0_97_FE.i16", 48000.0);
}

TEST_F(CwruTest, AMissingVariableListsWhatIsThere) {
  const std::string error = error_of(cwru_ / "mat" / "normal_0_97.mat", {.variable = "DE"});
  EXPECT_NE(error.find("no variable 'DE'; there are 'X097_DE_time' (243938 x 1)"), std::string::npos) << error;
}

class SkabTest : public RecordingFixture {};

TEST_F(SkabTest, ReadsTheTablesOfTheSkabTestbed) {
  const auto path = data_folder() / "skab" / "valve1" / "0.csv";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no real tables at " << path << "; set MILLWRIGHT_DATA";
  const Recording table = must_read(path, {.skip_columns = {"anomaly", "changepoint"}});
  EXPECT_EQ(table.channels, 8U);
  EXPECT_EQ(table.rate_hz, 1.0);
  EXPECT_GT(table.length, 1000U);
  EXPECT_EQ(table.channel_names.front(), "Accelerometer1RMS");
}

}  // namespace
}  // namespace millwright::recording
