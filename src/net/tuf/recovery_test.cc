// SPDX-License-Identifier: Apache-2.0
// What a box comes back from, and what it never gives up: fast-forward, replays, full disks; repositories of other
// shapes.
#include "net/tuf/signing.h"
#include "net/tuf/simulator_fixture.h"

namespace millwright::net::tuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Recovery = Simulator;

// 5.3.11: recovery from fast-forward.

TEST_F(Recovery, RecoversFromAFastForwardOfTheTimestamp) {
  repository.timestamp().header.version = 99'999;
  repository.publish("timestamp", kNow);
  expect_good();
  repository.set_keys("timestamp", new_keys(1), 1);
  repository.timestamp().header.version = 1;
  repository.publish("timestamp", kNow);
  repository.publish("root", kNow);
  expect_good();
  EXPECT_EQ(trusted<Timestamp>("timestamp"), 2u);
}

TEST_F(Recovery, RecoversFromAFastForwardOfSnapshotAndTargets) {
  repository.targets().header.version = 99'998;
  repository.snapshot().header.version = 99'998;
  repository.publish_all(kNow);
  expect_good();
  EXPECT_THAT(trusted_versions(), ElementsAre(1u, 2u, 99'999u, 99'999u));
  repository.set_keys("snapshot", new_keys(1), 1);
  repository.targets().header.version = 1;
  repository.snapshot().header.version = 1;
  repository.publish("root", kNow);
  repository.publish_all(kNow);
  expect_good();
  EXPECT_THAT(trusted_versions(), ElementsAre(2u, 3u, 2u, 2u));
}

TEST_F(Recovery, ARecoveryThatIsCutShortGoesOn) {
  const std::vector<SigningKey> keys = new_keys(3);
  repository.set_keys("timestamp", keys, 1);
  repository.publish("root", kNow);
  repository.timestamp().header.version = 99'998;
  repository.publish("timestamp", kNow);
  expect_good();
  const std::string fast = repository.files().at("timestamp.json");
  // One key of three goes: the two that stay signed the kept file too, so that only the record tells.
  repository.set_keys("timestamp", {keys[0], keys[1]}, 1);
  repository.publish("root", kNow);
  repository.files().erase("timestamp.json");
  expect_refused("404", ErrorCode::kNotFound);
  EXPECT_EQ(trusted<Root>("root"), 3u);
  repository.timestamp().header.version = 5;
  repository.publish("timestamp", kNow);
  expect_good();
  EXPECT_EQ(trusted<Timestamp>("timestamp"), 6u);
  // What is kept from now on guards again.
  repository.timestamp().header.version = 4;
  repository.publish("timestamp", kNow);
  expect_refused("rollback");
}

TEST_F(Recovery, MoreKeysAreNoRotation) {
  std::vector<SigningKey> keys = new_keys(1);
  repository.set_keys("timestamp", keys, 1);
  repository.publish("root", kNow);
  repository.publish("timestamp", kNow);
  const std::string old = repository.files().at("timestamp.json");
  repository.publish("timestamp", kNow);
  expect_good();
  keys.push_back(SigningKey::generate(KeyKind::kEd25519));
  repository.set_keys("timestamp", keys, 2);
  repository.publish("root", kNow);
  // Both sign an older version: the kept one has one signature of two only, and is a floor all the same.
  repository.files()["timestamp.json"] = signed_document(parse<Timestamp>(old)->signed_text, keys);
  expect_refused("rollback: the server offers timestamp version 2, this box trusts version 3");
  repository.publish("timestamp", kNow);
  expect_good();
}

// The server's choice of everything that was ever signed, in every order: nothing goes back.
TEST_F(Recovery, ReplaysInAnyOrderLowerNothing) {
  std::vector<std::string> timestamps;
  for (int i = 0; i < 6; ++i) {
    timestamps.push_back(repository.files().at("timestamp.json"));
    repository.publish_all(kNow);
  }
  std::vector<uint64_t> before = {0, 0, 0, 0};
  uint32_t state = 5;
  for (int i = 0; i < 200; ++i) {
    state = state * 1'664'525 + 1'013'904'223;
    repository.files()["timestamp.json"] = timestamps[(state >> 16) % timestamps.size()];
    const Status status = refresh();
    const std::vector<uint64_t> now = trusted_versions();
    for (size_t role = 0; role < now.size(); ++role) EXPECT_GE(now[role], before[role]);
    if (!status) {
      EXPECT_THAT(status.error().message, HasSubstr("rollback"));
    }
    before = now;
  }
  EXPECT_EQ(before, (std::vector<uint64_t>{1, 6, 6, 6}));
}

// Repositories without consistent snapshots.
class Plain : public Simulator {
 protected:
  Plain() : Simulator({.consistent_snapshot = false, .state_hashes = false}) {}
};

TEST_F(Plain, AsksWithoutNumbers) {
  offer("a/b c", "model");
  repository.publish_all(kNow);
  expect_good();
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "timestamp.json", "snapshot.json", "targets.json"));
  EXPECT_EQ(find("a/b c")->remote_path, "a/b%20c");
  // Without a stated length the caps hold.
  repository.files()["snapshot.json"] = std::string(2'000'001, ' ');
  repository.publish("timestamp", kNow);
  repository.timestamp().snapshot.version = 9;
  repository.publish("timestamp", kNow);
  expect_refused("endless data: the server's snapshot.json is longer than the 2000000 bytes");
}

// A store that fails: nothing is believed that is not durable.
class FailingStore final : public TrustedStore {
 public:
  FailingStore(TrustedStore& below, int writes) : below_(below), writes_(writes) {}
  Result<std::string> read(const std::string& file, uint64_t limit_bytes) override {
    return below_.read(file, limit_bytes);
  }
  Status write(const std::string& file, std::string_view bytes) override {
    if (writes_-- <= 0) return fail(ErrorCode::kIo, "no space");
    return below_.write(file, bytes);
  }

 private:
  TrustedStore& below_;
  int writes_;
};

TEST_F(Recovery, AFullDiskAtAnyStepIsGoneOnFromLater) {
  repository.set_keys("timestamp", new_keys(1), 1);
  repository.publish("root", kNow);
  repository.publish("timestamp", kNow);
  for (int writes = 0; writes <= 5; ++writes) {  // dropped, root, timestamp, snapshot, targets
    TemporaryFolder other;
    FolderStore below(other.path());
    ASSERT_TRUE(Client::init(below, repository.files().at("1.root.json")).has_value());
    FailingStore failing(below, writes);
    const Status status = Client(failing, server).refresh(kNow);
    EXPECT_EQ(status.has_value(), writes == 5);
    if (!status) {
      EXPECT_EQ(status.error().code, ErrorCode::kIo) << writes;
    }
    EXPECT_TRUE(Client(below, server).refresh(kNow).has_value()) << writes;
  }
}

}  // namespace
}  // namespace millwright::net::tuf
