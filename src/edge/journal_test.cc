// SPDX-License-Identifier: Apache-2.0
#include "edge/journal.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST(Journal, AFileHasItsBlocksBeforeItHasLines) {
  const TemporaryFolder folder;
  auto journal = Journal::open(folder.path(), {.max_file_bytes = 1 << 20});
  ASSERT_TRUE(journal->append(line(1), 1));
  struct stat info{};
  ASSERT_EQ(::stat(files(folder.path()).front().c_str(), &info), 0);
  EXPECT_EQ(static_cast<size_t>(info.st_size), line(1).size());
  constexpr int64_t kStatBlock = 512;
  if (info.st_blocks * kStatBlock < (1 << 16)) GTEST_SKIP() << "this file system does not set blocks aside";
  EXPECT_GE(info.st_blocks * kStatBlock, 1 << 20);
}

// A disk of 256 KiB, which goes away with the test.
class SmallDisk {
 public:
  explicit SmallDisk(std::filesystem::path path) : path_(std::move(path)) {
    mounted_ = ::geteuid() == 0 && ::mount("none", path_.c_str(), "tmpfs", 0, "size=256k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
};

TEST(Journal, OnAFullDiskTheNextFileTakesThePlaceOfTheOldest) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path());
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  auto journal = Journal::open(folder.path() / "records", {.max_file_bytes = 64 << 10, .max_files = 100});
  ASSERT_TRUE(journal);
  uint64_t id = 0;
  const auto write = [&](uint64_t count) {
    for (const uint64_t end = id + count; id < end;) {
      ++id;
      const Status written = journal->append(line(id), id);
      ASSERT_TRUE(written) << id << ": " << written.error().message;
    }
  };
  write(200);
  // Somebody else takes the rest.
  std::ofstream hog(folder.path() / "hog");
  const std::string block(4096, 'x');
  while (hog.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
  write(1000);
  EXPECT_GT(journal->files_replaced(), 0U);
  const auto again = Journal::open(folder.path() / "records", {.max_file_bytes = 64 << 10, .max_files = 100});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->tail().stroke_id, id);
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
