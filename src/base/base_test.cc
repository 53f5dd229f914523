// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "base/child_process.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/numbers.h"
#include "base/random.h"
#include "base/spsc_queue.h"

namespace millwright {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::kInvalidInput, "{} is odd", n);
  return n / 2;
}

Result<int> quarter(int n) {
  const int h = MW_TRY_IN("quarter", half(n));
  return MW_TRY_IN("quarter", half(h));
}

TEST(Error, ContextIsAddedOnTheWayUp) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "quarter: 3 is odd");
}

TEST(Error, ExitStatusTellsWrongInputFromAFaultOutside) {
  EXPECT_EQ(exit_status(ErrorCode::kCorrupt), 2);
  EXPECT_EQ(exit_status(ErrorCode::kUnavailable), 3);
}

TEST(Digest, MatchesTheStandardsExample) {
  // FIPS 180-4, appendix: "abc".
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*Digest::from_hex(sha256("abc").hex()), sha256("abc"));
  EXPECT_FALSE(Digest::from_hex("ABCD"));
}

TEST(Files, AWriteReplacesWholeAndLeavesNoTemporary) {
  const auto folder = std::filesystem::temp_directory_path() / "millwright_files_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(write_file_atomic(folder / "a", "one"));
  ASSERT_TRUE(write_file_atomic(folder / "a", "two"));
  EXPECT_EQ(*read_text_file(folder / "a", 10), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_EQ(read_file(folder / "a", 2).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(read_file(folder / "b", 2).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(write_file_atomic(folder / "no" / "such", "x"));
  std::filesystem::remove_all(folder);
}

TEST(Numbers, ParseWholeTextOnly) {
  EXPECT_EQ(parse_double("1.5e3"), 1500.0);
  EXPECT_EQ(parse_double("+2"), 2.0);
  EXPECT_EQ(parse_double("1,5"), std::nullopt);
  EXPECT_EQ(parse_int("12x"), std::nullopt);
  EXPECT_EQ(trim(" a b\r\n"), "a b");
}

TEST(Random, IsTheSameEverywhere) {
  Random random(1);
  EXPECT_EQ(random.bits(), 14971601782005023387ULL);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 1e5, 0.0, 0.02);
  EXPECT_NEAR(squares / 1e5, 1.0, 0.02);
}

TEST(Clock, FormatsUtcAlsoBefore1970) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_utc(-1'000), "1969-12-31T23:59:59.999999Z");
}

TEST(SpscQueue, DeliversInOrderAndRefusesWhenFull) {
  SpscQueue<int> queue(1);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_FALSE(queue.try_push(2));
  EXPECT_EQ(queue.try_pop(), 1);
  EXPECT_EQ(queue.try_pop(), std::nullopt);

  SpscQueue<int> wide(64);
  constexpr int kCount = 100'000;
  std::jthread producer([&] {
    for (int i = 0; i < kCount;) i += wide.try_push(i) ? 1 : 0;
  });
  for (int expected = 0; expected < kCount;) {
    if (const auto item = wide.try_pop()) {
      ASSERT_EQ(*item, expected);
      ++expected;
    }
  }
}

TEST(ChildProcess, TellsItsExitStatusAndDiesWithItsOwner) {
  EXPECT_EQ(ChildProcess::start({{"/bin/sh", "-c", "exit 7"}, {}})->wait(), 7);
  EXPECT_EQ(ChildProcess::start({{"/no/such/program"}, {}}).error().code, ErrorCode::kUnavailable);
  pid_t pid = -1;
  {
    auto child = ChildProcess::start({{"/bin/sleep", "600"}, {}});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(child->poll(), std::nullopt);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace millwright
