// SPDX-License-Identifier: Apache-2.0
#include "edge/journal.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/files.h"
#include "edge/fake_records.h"

namespace millwright::edge {
namespace {

std::string line(uint64_t id, uint64_t cycle = 0) {
  model::StrokeRecord record;
  record.stroke_id = id;
  record.plc_cycle = cycle;
  return model::to_json_line(record, {}) + "\n";
}

std::vector<std::filesystem::path> files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Journal, RemembersItsLastLineOverARestart) {
  const TemporaryFolder folder;
  {
    auto journal = Journal::open(folder.path(), {});
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->tail().stroke_id, 0U);
    ASSERT_TRUE(journal->append(line(1, 5) + line(2, 6), 1));
  }
  const auto journal = Journal::open(folder.path(), {});
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->tail().stroke_id, 2U);
  EXPECT_EQ(journal->tail().plc_cycle, 6U);
}

TEST(Journal, CutsOffATornLastLine) {
  const TemporaryFolder folder;
  {
    auto journal = Journal::open(folder.path(), {});
    ASSERT_TRUE(journal->append(line(1) + line(2), 1));
  }
  const auto path = files(folder.path()).front();
  std::ofstream(path, std::ios::app) << line(3).substr(0, 40);
  auto journal = Journal::open(folder.path(), {});
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->tail().stroke_id, 2U);
  EXPECT_EQ(journal->tail().torn_bytes, 40U);
  ASSERT_TRUE(journal->append(line(3), 3));
  EXPECT_EQ(*read_text_file(path, 1 << 20), line(1) + line(2) + line(3));
}

TEST(Journal, CutsOffATornBatchOfAnyLength) {
  const TemporaryFolder folder;
  {
    auto journal = Journal::open(folder.path(), {});
    ASSERT_TRUE(journal->append(line(1) + line(2), 1));
  }
  const auto path = files(folder.path()).front();
  constexpr size_t kTorn = 600'000;
  std::ofstream(path, std::ios::app) << std::string(kTorn, '\0');
  const auto journal = Journal::open(folder.path(), {});
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->tail().stroke_id, 2U);
  EXPECT_EQ(journal->tail().torn_bytes, kTorn);
  EXPECT_EQ(*read_text_file(path, 1 << 20), line(1) + line(2));
}

TEST(Journal, AFileThatAPersonHasToLookAtIsLeftAsItIs) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "records-00000000000000000001.jsonl";
  const auto torn = folder.path() / "records-00000000000000000002.jsonl";
  std::ofstream(path) << "hello\nwor";
  std::ofstream(torn) << "{\"timesta";
  const auto journal = Journal::open(folder.path(), {});
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().message.find(path.string()), std::string::npos);
  EXPECT_NE(journal.error().message.find("move the file"), std::string::npos);
  EXPECT_EQ(*read_text_file(path, 1 << 20), "hello\nwor");
  EXPECT_TRUE(std::filesystem::exists(torn));
}

TEST(Journal, AFileWithoutAWholeLineIsRemoved) {
  const TemporaryFolder folder;
  {
    auto journal = Journal::open(folder.path(), {});
    ASSERT_TRUE(journal->append(line(1), 1));
  }
  std::ofstream(folder.path() / "records-00000000000000000002.jsonl") << "{\"timesta";
  const auto journal = Journal::open(folder.path(), {});
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->tail().stroke_id, 1U);
  EXPECT_EQ(files(folder.path()).size(), 1U);
}

TEST(Journal, BeginsAnotherFileWhenOneIsFullAndRemovesTheOldest) {
  const TemporaryFolder folder;
  const uint64_t bytes = line(1).size();
  auto journal = Journal::open(folder.path(), {.max_file_bytes = 2 * bytes + 8, .max_files = 3});
  ASSERT_TRUE(journal);
  for (uint64_t id = 1; id <= 9; ++id) ASSERT_TRUE(journal->append(line(id), id));
  const auto found = files(folder.path());
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].filename(), "records-00000000000000000005.jsonl");
  EXPECT_EQ(journal->files_removed(), 2U);
  EXPECT_EQ(*read_text_file(found[2], 1 << 20), line(9));
}

TEST(Journal, ALastLineThatIsNoRecordIsForAPersonToLookAt) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "records-00000000000000000001.jsonl") << "hello\n";
  const auto journal = Journal::open(folder.path(), {});
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().message.find("records-"), std::string::npos);
}

}  // namespace
}  // namespace millwright::edge
