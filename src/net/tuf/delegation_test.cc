// SPDX-License-Identifier: Apache-2.0
// The search through delegations, what is downloaded at its end, and the signatures of several people.
#include "base/digest.h"
#include "net/tuf/names.h"
#include "net/tuf/public_key.h"
#include "net/tuf/signing.h"
#include "net/tuf/simulator_fixture.h"

namespace millwright::net::tuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Delegated : public Simulator {
 protected:
  // FROM delegates NAME, with a key of its own; a second delegation of a name knows the same key.
  void delegate(const std::string& from, const std::string& name, std::vector<std::string> paths = {"*"},
                bool terminating = false) {
    const auto [it, added] = keys_.try_emplace(name);
    if (added) it->second = new_keys(1);
    repository.delegate(from, {.name = name, .terminating = terminating, .paths = std::move(paths)}, it->second, 1);
  }
  // The roles that are asked for a target that nobody has, in order.
  std::vector<std::string> order() {
    repository.publish_all(kNow);
    const auto found = find("missing");
    EXPECT_EQ(found.error().code, ErrorCode::kNotFound) << found.error().message;
    std::vector<std::string> roles;
    for (const std::string& path : server.asked) roles.push_back(path.substr(2, path.size() - 7));
    return roles;
  }
  std::map<std::string, std::vector<SigningKey>> keys_;
};

TEST_F(Delegated, IsSearchedInPreOrderDepthFirst) {
  delegate("targets", "A");
  delegate("targets", "B");
  delegate("A", "C");
  delegate("C", "D");
  delegate("A", "E");
  EXPECT_THAT(order(), ElementsAre("A", "C", "D", "E", "B"));
}

TEST_F(Delegated, TerminatesWhatIsBehind) {
  delegate("targets", "A");
  delegate("targets", "B");
  delegate("A", "C", {"*"}, true);
  delegate("A", "D");
  delegate("C", "E");
  EXPECT_THAT(order(), ElementsAre("A", "C", "E"));
}

TEST_F(Delegated, ATerminatingRoleOfOtherPathsEndsNothing) {
  delegate("targets", "A", {"*.bundle"}, true);
  delegate("targets", "B");
  EXPECT_THAT(order(), ElementsAre("B"));
}

TEST_F(Delegated, ARoleIsAskedOnce) {
  delegate("targets", "A");
  delegate("targets", "B");
  delegate("B", "C");
  delegate("C", "B");
  delegate("A", "C");
  delegate("C", "A");
  EXPECT_THAT(order(), ElementsAre("A", "C", "B"));
}

TEST_F(Delegated, TheSearchIsBounded) {
  for (int i = 0; i < 40; ++i) delegate(i == 0 ? "targets" : fmt::format("r{}", i - 1), fmt::format("r{}", i));
  offer("end", "x", "r39");
  repository.publish_all(kNow);
  const auto found = find("end");
  EXPECT_THAT(found.error().message, HasSubstr("delegated through more than 32 roles"));
  EXPECT_EQ(server.asked.size(), 32u);
}

TEST_F(Delegated, TheFirstInTheOrderOfTrustSpeaks) {
  delegate("targets", "A", {"press/*"});
  delegate("targets", "B");
  repository.add_target("A", "press/7", "of A");
  repository.add_target("B", "press/7", "of B");
  repository.add_target("B", "other", "of B");
  repository.publish_all(kNow);
  EXPECT_EQ(find("press/7")->role, "A");
  EXPECT_FALSE(find("other/7").has_value()) << "A role does not speak of paths that nobody gave it";
  repository.add_target("targets", "press/7", "of the top");
  repository.publish_all(kNow);
  const auto found = find("press/7");
  EXPECT_EQ(found->role, "targets");
  EXPECT_EQ(found->remote_path, "press/" + hashes_of("of the top").sha256 + ".7");
}

TEST_F(Delegated, PathsOutsideOfADelegationAreNotBelieved) {
  delegate("targets", "A", {"press/*"});
  delegate("A", "B");
  repository.add_target("A", "welder/1", "x");
  repository.add_target("B", "welder/1", "x");
  repository.publish_all(kNow);
  EXPECT_EQ(find("welder/1").error().code, ErrorCode::kNotFound);
}

TEST_F(Delegated, ByHashPrefixAndByBins) {
  const std::string digest = sha256("press/7").hex();
  repository.delegate("targets", {.name = "H", .path_hash_prefixes = {"zz", digest.substr(0, 3)}}, new_keys(1), 1);
  repository.add_target("H", "press/7", "model");
  // Bins of another top: 16 roles with one key.
  const std::vector<SigningKey> key = new_keys(1);
  Targets& hashed = repository.targets("H");
  hashed.delegations.keys.emplace(key[0].keyid(), key[0].public_key());
  hashed.delegations.succinct =
      SuccinctRoles{.keys = {.keyids = {key[0].keyid()}}, .bit_length = 4, .name_prefix = "bin"};
  repository.publish_all(kNow);
  EXPECT_EQ(find("press/7")->role, "H");
  EXPECT_EQ(find("other").error().code, ErrorCode::kNotFound);
}

TEST_F(Delegated, MustBeListedSignedAndFresh) {
  delegate("targets", "A");
  repository.add_target("A", "press", "model");
  repository.publish_all(kNow);
  repository.snapshot().meta.erase("A");
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  EXPECT_THAT(find("press").error().message, HasSubstr("does not list role A"));
  repository.publish("A", kNow - 181 * kDayS);
  repository.publish("snapshot", kNow);
  repository.publish("timestamp", kNow);
  EXPECT_THAT(find("press").error().message, HasSubstr("freeze: A version 2"));
  EXPECT_EQ(trusted<Targets>("A"), 0u);
  repository.publish_all(kNow);
  EXPECT_TRUE(find("press").has_value());
  EXPECT_THAT(server.asked, ElementsAre("3.A.json"));
  EXPECT_TRUE(find("press").has_value());
  EXPECT_THAT(server.asked, IsEmpty()) << "kept";
}

// A kept role is good for the delegator whose keys signed it, not for each that uses the name.
TEST_F(Delegated, AKeptRoleIsVerifiedAgainForEachDelegator) {
  delegate("targets", "A", {"a"});
  delegate("targets", "B", {"b"});
  repository.delegate("B", {.name = "C", .paths = {"*"}}, new_keys(1), 1);
  delegate("A", "C");
  repository.add_target("C", "a", "x");
  repository.add_target("C", "b", "x");
  repository.publish_all(kNow);
  Client client(store, server);
  ASSERT_TRUE(client.refresh(kNow).has_value());
  EXPECT_TRUE(client.find("a").has_value());
  EXPECT_THAT(client.find("b").error().message, HasSubstr("arbitrary software: C version 1"));
  EXPECT_TRUE(client.find("a").has_value());
}

using Target = Simulator;

TEST_F(Target, IsStoredUnderAHarmlessNameOnce) {
  offer("../line 1/press", "the model");
  repository.publish_all(kNow);
  TemporaryFolder there;
  const auto target = find("../line 1/press");
  ASSERT_TRUE(target.has_value()) << target.error().message;
  server.targets[target->remote_path] = "the model";
  const auto first = download(*target, server, there.path());
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->path, there.path() / "..%2Fline%201%2Fpress");
  EXPECT_EQ(*read_text_file(first->path, 100), "the model");
  server.asked.clear();
  EXPECT_TRUE(download(*target, server, there.path())->was_there);
  EXPECT_THAT(server.asked, IsEmpty());
  // What changed on the disk is fetched again.
  ASSERT_TRUE(write_file_atomic(first->path, std::string_view("the Model")).has_value());
  EXPECT_FALSE(download(*target, server, there.path())->was_there);
  EXPECT_EQ(*read_text_file(first->path, 100), "the model");
}

TEST_F(Target, WrongBytesLeaveNothingBehind) {
  offer("press", "the model");
  repository.publish_all(kNow);
  const auto target = find("press");
  TemporaryFolder there;
  const auto refused = [&](const std::string& bytes, const char* words) {
    server.targets[target->remote_path] = bytes;
    const auto got = download(*target, server, there.path());
    ASSERT_FALSE(got.has_value()) << bytes;
    EXPECT_EQ(got.error().code, ErrorCode::kRefused);
    EXPECT_THAT(got.error().message, HasSubstr(words));
    EXPECT_TRUE(std::filesystem::is_empty(there.path()));
  };
  refused("THE model", "wrong software");
  refused("the mode", "wrong software: the server's 8 bytes");
  refused("", "wrong software");
  refused("the model.", "endless data");
  server.targets.clear();
  EXPECT_EQ(download(*target, server, there.path()).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(there.path()));
}

TEST(Signing, TwoPeopleOnTwoMachines) {
  const SigningKey one = SigningKey::generate(KeyKind::kEd25519);
  const SigningKey two = SigningKey::generate(KeyKind::kEcdsaP256);
  Targets targets;
  const std::string unsigned_document = document_bytes(signed_text(targets), {});
  const std::string by_one = *with_signature<Targets>(unsigned_document, one);
  const std::string by_two = *with_signature<Targets>(unsigned_document, two);
  const auto both = parse<Targets>(*merged<Targets>(by_one, by_two));
  ASSERT_TRUE(both.has_value());
  const Keys keys = {{one.keyid(), one.public_key()}, {two.keyid(), two.public_key()}};
  const RoleKeys role{.keyids = {one.keyid(), two.keyid()}, .threshold = 2};
  EXPECT_EQ(keys_that_signed(both->signed_text, both->signatures, keys, role), 2u);
  EXPECT_EQ(*merged<Targets>(by_one, by_one), by_one) << "one person twice";
  targets.header.version = 2;
  const std::string other = *with_signature<Targets>(document_bytes(signed_text(targets), {}), two);
  EXPECT_THAT(merged<Targets>(by_one, other).error().message, HasSubstr("different documents (versions 1 and 2)"));
}

}  // namespace
}  // namespace millwright::net::tuf
