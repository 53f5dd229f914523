// SPDX-License-Identifier: Apache-2.0
// Every step of the client's workflow, with what it accepts and what it refuses, and each attack of the specification's
// section 1.5.2.
#include "net/tuf/client.h"

#include "net/tuf/names.h"
#include "net/tuf/signing.h"
#include "net/tuf/simulator_fixture.h"

namespace millwright::net::tuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Update = Simulator;

TEST_F(Update, AsksInOrderAndKeepsTheBytes) {
  repository.files()["timestamp.json"] += " ";  // still the same document
  expect_good();
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"));
  EXPECT_EQ(*store.read("timestamp.json", 1 << 20), repository.files().at("timestamp.json"));
  EXPECT_EQ(*store.read("root.json", 1 << 20), repository.files().at("1.root.json"));
  EXPECT_EQ(*store.read("snapshot.json", 1 << 20), repository.files().at("1.snapshot.json"));
  EXPECT_EQ(*store.read("targets.json", 1 << 20), repository.files().at("1.targets.json"));
  expect_good();
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "timestamp.json")) << "what is current is not fetched again";
}

TEST_F(Update, BeginsWithARootOnly) {
  TemporaryFolder empty;
  FolderStore none(empty.path());
  const Status status = Client(none, server).refresh(kNow);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(status.error().message, HasSubstr("no root to trust"));
  EXPECT_THAT(server.asked, IsEmpty());
  // A root of nobody, and one cut off.
  const std::string root = repository.files().at("1.root.json");
  EXPECT_FALSE(Client::init(none, root.substr(0, root.size() / 2)).has_value());
  EXPECT_FALSE(Client::init(none, document_bytes(parse<Root>(root)->signed_text, {})).has_value());
  EXPECT_TRUE(Client::init(none, root).has_value());
  EXPECT_TRUE(Client::init(none, root).has_value()) << "the same again";
  EXPECT_THAT(Client::init(none, root + " ").error().message, HasSubstr("trusts another root already"));
}

TEST_F(Update, AKeptRootThatWasTamperedWithIsNotUsed) {
  std::string root = *store.read("root.json", 1 << 20);
  root.replace(root.find("\"threshold\":1"), 13, "\"threshold\":2");
  ASSERT_TRUE(store.write("root.json", root).has_value());
  expect_refused("arbitrary software");
  EXPECT_THAT(server.asked, IsEmpty());
}

// 5.3: the chain of roots.

TEST_F(Update, FollowsTheChainOfRoots) {
  for (int i = 0; i < 5; ++i) {
    repository.set_keys("root", new_keys(3, i == 2 ? KeyKind::kEcdsaP256 : KeyKind::kEd25519), 2);
    repository.publish("root", kNow);
  }
  expect_good();
  EXPECT_EQ(trusted<Root>("root"), 6u);
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "3.root.json", "4.root.json", "5.root.json", "6.root.json",
                                        "7.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"));
}

TEST_F(Update, AThirdSignsForNeither) {
  const std::string good = repository.publish("root", kNow);
  const std::string text = parse<Root>(good)->signed_text;
  repository.files()["2.root.json"] = signed_document(text, new_keys(2));
  expect_refused("arbitrary software: root version 2, by the keys of the trusted root,");
  EXPECT_EQ(trusted<Root>("root"), 1u);
}

TEST_F(Update, ANewRootNeedsTheOldKeysAndItsOwn) {
  const auto old_root = *parse<Root>(repository.files().at("1.root.json"));
  const std::vector<SigningKey> fresh = new_keys(3);
  repository.set_keys("root", fresh, 2);
  const std::string both = repository.publish("root", kNow);
  const Document<Root> document = *parse<Root>(both);
  const auto serve = [&](auto keep) {
    std::vector<Signature> kept;
    for (const Signature& s : document.signatures) {
      if (keep(s)) kept.push_back(s);
    }
    repository.files()["2.root.json"] = document_bytes(document.signed_text, kept);
  };
  const std::string old_id = old_root.signatures[0].keyid;
  serve([&](const Signature& s) { return s.keyid != old_id; });
  expect_refused("by the keys of the trusted root,");
  serve([&](const Signature& s) { return s.keyid == old_id || s.keyid == fresh[0].keyid(); });
  expect_refused("by the keys of the new root, is signed by 1 of the keys");
  EXPECT_EQ(trusted<Root>("root"), 1u);
  serve([&](const Signature& s) { return s.keyid != fresh[2].keyid(); });
  expect_good();
  EXPECT_EQ(trusted<Root>("root"), 2u);
}

TEST_F(Update, RootsFollowOneAnotherWithoutAGap) {
  repository.files()["2.root.json"] = repository.files().at("1.root.json");
  expect_refused("rollback: the server offers root version 1");
  repository.root().header.version = 2;
  repository.files()["2.root.json"] = std::string(repository.publish("root", kNow));  // version 3
  expect_refused("mix-and-match: the server's root version 2 calls itself version 3");
  EXPECT_EQ(trusted<Root>("root"), 1u);
}

TEST_F(Update, TheNumberOfRotationsInOneUpdateIsBounded) {
  limits.root_rotations = 3;
  for (int i = 0; i < 5; ++i) repository.publish("root", kNow);
  expect_good();
  EXPECT_EQ(trusted<Root>("root"), 4u);
  expect_good();
  EXPECT_EQ(trusted<Root>("root"), 6u) << "the next update goes on";
}

TEST_F(Update, AnExpiredRootIsKeptButEndsTheUpdate) {
  repository.publish("root", kNow);
  repository.publish("root", kNow - 366 * kDayS);
  expect_refused("freeze: root version 3 was valid until");
  EXPECT_EQ(trusted<Root>("root"), 3u);
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "3.root.json", "4.root.json"));
  repository.publish("root", kNow);
  expect_good();  // one that expired on the way does no harm
}

TEST_F(Update, AServerThatIsAwayIsNoAttack) {
  server.broken.emplace("2.root.json", Error{ErrorCode::kUnavailable, "connection refused"});
  expect_refused("connection refused", ErrorCode::kUnavailable);
  EXPECT_THAT(server.asked, ElementsAre("2.root.json")) << "else an attacker could keep a root back and go on";
  server.broken.clear();
  repository.files().erase("timestamp.json");
  expect_refused("404", ErrorCode::kNotFound);
}

// 5.4: timestamp.

TEST_F(Update, TimestampsDoNotGoBack) {
  const std::string first = repository.files().at("timestamp.json");
  repository.publish("timestamp", kNow);
  expect_good();
  repository.files()["timestamp.json"] = first;
  expect_refused("rollback: the server offers timestamp version 1, this box trusts version 2");
  EXPECT_EQ(trusted<Timestamp>("timestamp"), 2u);
  // Nor when the kept one has expired.
  expect_refused("rollback", ErrorCode::kRefused, kNow + 15 * kDayS);
}

TEST_F(Update, AnotherTimestampOfTheSameVersionIsNotTaken) {
  expect_good();
  repository.timestamp().header.version = 0;
  repository.timestamp().snapshot.version = 100;
  repository.publish("timestamp", kNow);
  expect_good();
  EXPECT_THAT(server.asked, ElementsAre("2.root.json", "timestamp.json"));
  EXPECT_EQ(parse<Timestamp>(*store.read("timestamp.json", 1 << 20))->body.snapshot.version, 1u);
}

TEST_F(Update, ATimestampMayNotNameAnOlderSnapshot) {
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  expect_good();
  repository.timestamp().snapshot.version = 1;
  repository.publish("timestamp", kNow);
  expect_refused("rollback: the server offers snapshot version 1, this box trusts version 2");
  EXPECT_THAT(trusted_versions(), ElementsAre(1u, 2u, 2u, 1u));
}

TEST_F(Update, WhatFreezesIsNoticedWhenItExpires) {
  expect_good();
  expect_good(kNow + 14 * kDayS - 1);
  expect_refused("freeze: timestamp version 1 was valid until 2027-01-29T08:00:00Z, it is 2027-01-29T08:00:00Z now",
                 ErrorCode::kRefused, kNow + 14 * kDayS);
  // An expired one is not kept either.
  repository.publish("timestamp", kNow - 20 * kDayS);
  expect_refused("freeze: timestamp version 2");
  EXPECT_EQ(trusted<Timestamp>("timestamp"), 1u);
  repository.publish("timestamp", kNow + 20 * kDayS);
  expect_good(kNow + 20 * kDayS);  // recovers by itself
}

// 5.5: snapshot.

TEST_F(Update, ASnapshotIsTheOneThatWasSignedFor) {
  // Another version under the right name.
  repository.publish("snapshot", kNow);
  repository.timestamp().snapshot = {.version = 2};
  repository.publish("timestamp", kNow);
  repository.files()["2.snapshot.json"] = repository.files().at("1.snapshot.json");
  expect_refused("mix-and-match: version 2 of snapshot was signed for, the server's file is version 1");
  EXPECT_THAT(trusted_versions(), ElementsAre(1u, 2u, 0u, 0u)) << "what came before is kept";
}

TEST_F(Update, ASnapshotOfAnotherHashIsNotTaken) {
  repository.files()["1.snapshot.json"] += " ";
  repository.timestamp().snapshot.length = *repository.timestamp().snapshot.length + 1;
  repository.publish("timestamp", kNow);
  expect_refused("mix-and-match: the server's snapshot version 1 is not the file that was signed for");
}

TEST_F(Update, NoRoleVanishesFromASnapshot) {
  repository.delegate("targets", {.name = "press", .paths = {"*"}}, new_keys(1), 1);
  repository.publish_all(kNow);
  expect_good();
  repository.snapshot().meta.erase("press");
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  expect_refused("does not list role press any more");
  EXPECT_EQ(trusted<Snapshot>("snapshot"), 2u);
}

TEST_F(Update, NoRoleGoesBackInASnapshot) {
  repository.publish_all(kNow);  // targets 2
  expect_good();
  repository.snapshot().meta["targets"] = {.version = 1};
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  expect_refused("rollback: the server offers targets version 1, this box trusts version 2");
  EXPECT_THAT(trusted_versions(), ElementsAre(1u, 3u, 2u, 2u));
}

TEST_F(Update, AnExpiredSnapshotIsNotUsed) {
  repository.publish("snapshot", kNow - 31 * kDayS);
  repository.publish("timestamp", kNow);
  expect_refused("freeze: snapshot version 2");
  EXPECT_EQ(trusted<Snapshot>("snapshot"), 0u);
  // Nor a kept one that expires later; but it still guards against rollback.
  repository.publish_all(kNow);
  expect_good();
  repository.publish("timestamp", kNow + 40 * kDayS);
  expect_refused("freeze: snapshot version 3", ErrorCode::kRefused, kNow + 40 * kDayS);
}

// 5.6: targets.

TEST_F(Update, TargetsAreTheOnesThatWereSignedFor) {
  repository.publish("targets", kNow);
  repository.snapshot().meta["targets"] = {.version = 2};
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  repository.files()["2.targets.json"] = repository.files().at("1.targets.json");
  expect_refused("mix-and-match: version 2 of targets was signed for");
  repository.files().erase("2.targets.json");
  expect_refused("404", ErrorCode::kNotFound);
  EXPECT_THAT(trusted_versions(), ElementsAre(1u, 2u, 2u, 0u));
}

TEST_F(Update, ExpiredTargetsAreNotUsed) {
  repository.publish("targets", kNow - 181 * kDayS);
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  expect_refused("freeze: targets version 2");
  EXPECT_EQ(trusted<Targets>("targets"), 0u);
}

class EachRole : public Simulator, public ::testing::WithParamInterface<const char*> {};

TEST_P(EachRole, MustBeSignedByItsThreshold) {
  const std::string role = GetParam();
  std::vector<SigningKey> keys = new_keys(3);
  repository.set_keys(role, keys, 2);
  repository.publish("root", kNow);
  repository.publish_all(kNow);
  expect_good();
  // From now on only one of the two signs, and somebody else.
  const std::string file = role == "timestamp" ? "timestamp.json" : "3." + role + ".json";
  repository.publish_all(kNow);
  repository.snapshot().meta["targets"] = {.version = 3};
  std::string& bytes = repository.files().at(file);
  const std::string text = role == "timestamp"  ? parse<Timestamp>(bytes)->signed_text
                           : role == "snapshot" ? parse<Snapshot>(bytes)->signed_text
                                                : parse<Targets>(bytes)->signed_text;
  bytes = signed_document(text, {keys[0], SigningKey::generate(KeyKind::kEd25519)});
  if (role == "targets") {
    repository.publish("snapshot", kNow);
    repository.publish("timestamp", kNow);
  }
  if (role == "snapshot") {
    repository.timestamp().snapshot = {.version = 3};
    repository.publish("timestamp", kNow);
  }
  expect_refused("arbitrary software: " + role);
}

INSTANTIATE_TEST_SUITE_P(Roles, EachRole, ::testing::Values("timestamp", "snapshot", "targets"));

TEST_F(Update, AFileOfAnotherRoleIsNotTaken) {
  // The thief of the timestamp's key may sign, but a snapshot is no timestamp.
  const std::vector<SigningKey> keys = new_keys(1);
  repository.set_keys("timestamp", keys, 1);
  repository.set_keys("snapshot", keys, 1);
  repository.publish("root", kNow);
  repository.files()["timestamp.json"] = std::string(repository.publish("snapshot", kNow));
  expect_refused("it is of type 'snapshot', not 'timestamp'", ErrorCode::kInvalidInput);
}

// Endless data.

TEST_F(Update, ReadsNoMoreThanItMust) {
  server.keeps_to_limits = false;  // the client looks for itself
  const std::string good = repository.files().at("timestamp.json");
  repository.files()["timestamp.json"] += std::string(20'000, ' ');
  expect_refused("endless data: the server's timestamp.json is longer than the 16384 bytes");
  repository.files()["timestamp.json"] = good;
  repository.files()["1.snapshot.json"] += std::string(10, ' ');
  expect_refused("endless data: the server's 1.snapshot.json");
  server.keeps_to_limits = true;
  expect_refused("endless data: the server's 1.snapshot.json");
  repository.files()["2.root.json"] = std::string(600'000, ' ');
  expect_refused("endless data: the server's 2.root.json is longer than the 512000 bytes");
}

}  // namespace
}  // namespace millwright::net::tuf
