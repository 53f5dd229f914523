// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "base/numbers.h"
#include "base/random.h"
#include "recording/isolated.h"
#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class MatTest : public RecordingFixture {};

TEST_F(MatTest, ReadsAVariableByNameOfEveryVersion) {
  for (const char* name : {"v4.mat", "v5.mat", "v7.mat", "v73.mat"}) {
    const Recording read = must_read(reference(name), {.rate_hz = 12000.0, .variable = "X097_DE_time"});
    EXPECT_EQ(read.samples, p(9, 0.25)) << name;
    EXPECT_EQ(read.length, 9U) << name;
    EXPECT_EQ(read.channels, 1U) << name;
    EXPECT_EQ(read.rate_hz, 12000.0) << name;
  }
}

TEST_F(MatTest, TakesTheOnlyRecordingAndPassesOverSingleNumbers) {
  EXPECT_EQ(must_read(reference("v7.mat")).samples, p(9, 0.25));
  EXPECT_EQ(must_read(reference("integers.mat"), {.scale = 0.5}).samples, p(7, 0.5));
}

TEST_F(MatTest, TheLongerSideIsTime) {
  const Recording read = must_read(reference("single.mat"));
  EXPECT_EQ(read.channels, 3U);
  EXPECT_EQ(read.length, 6U);
  EXPECT_EQ(read.samples, p(18, 0.25));
  EXPECT_THAT(read.notes, ElementsAre(HasSubstr("(3 x 6) is read as 3 channels of 6 samples")));
}

TEST_F(MatTest, AMissingVariableListsWhatIsThere) {
  EXPECT_THAT(error_of(reference("v5.mat"), {.variable = "DE_time"}),
              AllOf(HasSubstr("no variable 'DE_time'; there are"), HasSubstr("'X097_DE_time' (9 x 1)"),
                    HasSubstr("'X097RPM' (1 x 1)")));
}

TEST_F(MatTest, RefusesWhatIsNotARealMatrix) {
  const auto path = reference("others.mat");
  EXPECT_THAT(error_of(path),
              AllOf(HasSubstr("none of its variables can be a recording"), HasSubstr("'text' (1 x 5 text)"),
                    HasSubstr("struct"), HasSubstr("cells"), HasSubstr("complex")));
  for (const char* name : {"text", "z", "s", "c", "cube"}) {
    EXPECT_THAT(error_of(path, {.variable = name}), HasSubstr("is not a real vector or matrix of numbers")) << name;
  }
}

TEST_F(MatTest, EveryTruncationIsAnError) {
  for (const char* name : {"v4.mat", "v5.mat", "v7.mat"}) {
    const std::string whole = bytes_of(reference(name));
    ASSERT_GT(whole.size(), 100U);
    // Up to the end of the variable that is asked for; what follows it does not matter to version 4.
    for (size_t length = 0; length < 105; length += 4) {
      error_of(write("cut.mat", whole.substr(0, length)), {.variable = "X097_DE_time"});
    }
  }
  for (const char* name : {"v5.mat", "v7.mat"}) {
    const std::string whole = bytes_of(reference(name));
    for (size_t length = 105; length < whole.size(); length += 8) {
      error_of(write("cut.mat", whole.substr(0, length)), {.variable = "X097_DE_time"});
    }
  }
}

TEST_F(MatTest, DamagedFilesEndInAnErrorOrInNumbers) {
  Random random(11);
  for (const char* name : {"v4.mat", "v5.mat", "v7.mat", "v73.mat", "single.mat", "others.mat"}) {
    const std::string whole = bytes_of(reference(name));
    for (int trial = 0; trial < 15; ++trial) {
      std::string bytes = whole;
      for (int change = 0; change < 3; ++change) bytes[random.below(bytes.size())] = static_cast<char>(random.bits());
      const auto read = read_recording(write("damaged.mat", bytes));
      if (read) {
        EXPECT_EQ(read->samples.size(), read->channels * read->length);
      } else {
        EXPECT_THAT(read.error().message, HasSubstr("damaged.mat: "));
      }
    }
  }
}

TEST_F(MatTest, ACrashOfTheReaderIsAnError) {
  auto run = IsolatedRun::start({1ULL << 30, 10'000}, [](Reply&) { std::abort(); });
  ASSERT_TRUE(run);
  std::byte byte{};
  const Status status = run->read({&byte, 1});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(status.error().message, HasSubstr("the reader crashed on it (Aborted)"));
}

TEST_F(MatTest, AReaderThatNeverEndsIsStopped) {
  auto run = IsolatedRun::start({1ULL << 30, 50}, [](Reply&) {
    while (true) ::pause();
  });
  ASSERT_TRUE(run);
  std::byte byte{};
  EXPECT_EQ(run->read({&byte, 1}).error().code, ErrorCode::kTimedOut);
}

#ifndef MILLWRIGHT_SANITIZED
TEST_F(MatTest, AReaderThatAsksForTooMuchMemoryIsStopped) {
  auto run = IsolatedRun::start({64ULL << 20, 10'000}, [](Reply& reply) {
    std::vector<std::byte> bomb(1ULL << 30, std::byte{1});
    reply.write(bomb);
  });
  ASSERT_TRUE(run);
  std::byte byte{};
  EXPECT_THAT(run->read({&byte, 1}).error().message, HasSubstr("needs too much memory"));
}
#endif

}  // namespace
}  // namespace millwright::recording
