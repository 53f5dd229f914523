// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/signed_source.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "edge/updater/folder_fetcher.h"
#include "net/tuf/names.h"
#include "net/tuf/repository.h"

namespace millwright::edge {
namespace {

using net::tuf::KeyKind;
using net::tuf::SigningKey;
using ::testing::HasSubstr;

constexpr const char* kTarget = "press7/x86-int8.bundle";

// A plant's repository with real keys, in a folder as on a stick.
class SignedSourceTest : public ::testing::Test {
 protected:
  SignedSourceTest() {
    for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
      repository_.set_keys(role, {SigningKey::generate(KeyKind::kEd25519)}, 1);
    }
    put("one", R"({"release":1})");
    std::ofstream(root_) << repository_.files().at("1.root.json");
    source_ = std::make_unique<SignedSource>(root_, folder_.path() / "trusted",
                                             std::make_unique<FolderFetcher>(metadata_, targets_), clock_);
  }
  void put(const std::string& content, const std::string& custom) {
    repository_.add_target("targets", kTarget, content, custom);
    repository_.publish_all(clock_.wall_ns() / 1'000'000'000);
    std::filesystem::create_directories(metadata_);
    for (const auto& [name, bytes] : repository_.files()) std::ofstream(metadata_ / name) << bytes;
    std::filesystem::create_directories(targets_ / "press7");
    std::ofstream(targets_ / "press7" / (sha256(content).hex() + ".x86-int8.bundle")) << content;
  }
  Result<std::vector<std::optional<InstalledModel>>> look() {
    const std::vector<std::string> names = {kTarget, "other/any.bundle"};
    return source_->look(names, -1);
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::filesystem::path root_ = folder_.path() / "root.json";
  std::filesystem::path metadata_ = folder_.path() / "stick/metadata";
  std::filesystem::path targets_ = folder_.path() / "stick/targets";
  net::tuf::Repository repository_;
  std::unique_ptr<SignedSource> source_;
};

TEST_F(SignedSourceTest, NamesWhatIsSignedAndBringsItsBytes) {
  const auto found = look();
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE((*found)[0]);
  EXPECT_FALSE((*found)[1]) << "nobody publishes that";
  EXPECT_EQ((*found)[0]->digest, sha256("one"));
  EXPECT_EQ((*found)[0]->order, 1U);
  const auto part = folder_.path() / "part";
  const Status fetched = source_->fetch(*(*found)[0], part, -1);
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(*read_text_file(part, 100), "one");
}

TEST_F(SignedSourceTest, ANewOrderIsSeenAndTheOldOneIsNotBroughtAnyMore) {
  const InstalledModel old = *(*look())[0];
  put("two", R"({"release":2})");
  EXPECT_EQ((*look())[0]->digest, sha256("two"));
  EXPECT_FALSE(source_->fetch(old, folder_.path() / "part", -1));
}

TEST_F(SignedSourceTest, WhatWasRolledBackOnTheStickIsRefusedOverAStart) {
  const auto before = repository_.files();
  put("two", R"({"release":2})");
  ASSERT_TRUE(look());
  std::filesystem::remove_all(metadata_);
  std::filesystem::create_directories(metadata_);
  for (const auto& [name, bytes] : before) std::ofstream(metadata_ / name) << bytes;
  source_ = std::make_unique<SignedSource>(root_, folder_.path() / "trusted",
                                           std::make_unique<FolderFetcher>(metadata_, targets_), clock_);
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kRefused);
  EXPECT_THAT(found.error().message, HasSubstr("rollback"));
}

TEST_F(SignedSourceTest, ExpiredMetadataBringNothingNew) {
  clock_.jump_wall_ns(int64_t{60} * 86'400 * 1'000'000'000);
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kRefused);
  clock_.jump_wall_ns(-int64_t{60} * 86'400 * 1'000'000'000);
  EXPECT_TRUE(look()) << "and it recovers when the time is right";
}

TEST_F(SignedSourceTest, AStickThatIsOutIsAServerThatIsAway) {
  std::filesystem::remove_all(metadata_);
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
}

TEST_F(SignedSourceTest, ATargetWithoutAReleaseIsNamed) {
  put("two", "");
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("release"));
}

TEST(FolderFetcher, NeverLeavesItsFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "in/a b");
  std::ofstream(folder.path() / "secret") << "s";
  std::ofstream(folder.path() / "in/a b/x") << "x";
  FolderFetcher fetcher(folder.path() / "in", folder.path() / "in");
  EXPECT_EQ(*fetcher.metadata("a%20b/x", 10), "x");
  for (const char* path : {"../secret", "%2e%2e/secret", "a%20b/../../secret", "/etc/passwd", "", "a%00b"}) {
    EXPECT_FALSE(fetcher.metadata(path, 10)) << path;
  }
  EXPECT_FALSE(fetcher.metadata("a%20b/x", 0));
}

}  // namespace
}  // namespace millwright::edge
