// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "model/json_fields.h"
#include "net/tuf/canonical_json.h"
#include "net/tuf/expiry.h"
#include "net/tuf/names.h"
#include "net/tuf/public_key.h"
#include "net/tuf/signing_key.h"

namespace millwright::net::tuf {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string canonical(std::string_view text) { return *canonical_json(*model::parse_json(text)); }

TEST(CanonicalJson, SortsByCodePointAndEscapesTwoCharactersOnly) {
  EXPECT_EQ(canonical(R"({"b": [1, -2, true, null], "a": "q\"\\\n\u0001é"})"),
            "{\"a\":\"q\\\"\\\\\n\x01\xC3\xA9\",\"b\":[1,-2,true,null]}");
  // U+10000 comes after U+FFFD: by code points, not by UTF-16 units.
  EXPECT_EQ(canonical("{\"\xF0\x90\x80\x80\":1,\"\xEF\xBF\xBD\":2,\"A\":3}"),
            "{\"A\":3,\"\xEF\xBF\xBD\":2,\"\xF0\x90\x80\x80\":1}");
  EXPECT_EQ(canonical(R"([18446744073709551615,-9223372036854775808,{},[]])"),
            "[18446744073709551615,-9223372036854775808,{},[]]");
}

TEST(CanonicalJson, HasNoFractions) {
  for (const char* text : {"1.5", "[1e3]", "{\"a\":1.0}", "18446744073709551616"}) {
    EXPECT_FALSE(canonical_json(*model::parse_json(text)).has_value()) << text;
  }
}

TEST(CanonicalJson, AsJsonReadsBackToItself) {
  const std::string text = canonical(R"({"k":"line\nfeed\u0000\u001f\"\\"})");
  EXPECT_EQ(canonical(as_json(text)), text);
}

TEST(Expiry, ReadsWhatTheSpecificationWrites) {
  EXPECT_EQ(*parse_expiry("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*parse_expiry("2026-11-23T12:34:56Z"), 1795437296);
  EXPECT_EQ(format_expiry(1795437296), "2026-11-23T12:34:56Z");
  EXPECT_EQ(format_expiry(*parse_expiry("2044-02-29T23:59:59Z")), "2044-02-29T23:59:59Z");
  for (const char* text : {"", "2026-11-23", "2026-11-23T12:34:56", "2026-11-23T12:34:56+01:00", "2026-11-23t12:34:56z",
                           "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
                           "2026-11-23T12:34:56.0Z", "1969-12-31T23:59:59Z", "+026-11-23T12:34:56Z"}) {
    EXPECT_FALSE(parse_expiry(text).has_value()) << text;
  }
}

TEST(Names, PatternsFollowShellWildcardsWithinOneFolder) {
  EXPECT_TRUE(matches_pattern("targets/*.tgz", "targets/foo.tgz"));
  EXPECT_TRUE(matches_pattern("*", "press7"));
  EXPECT_TRUE(matches_pattern("line-?/*/v*", "line-3/press7/v12"));
  EXPECT_TRUE(matches_pattern("model-[a-cx]", "model-b"));
  EXPECT_TRUE(matches_pattern("model-[!a-c]", "model-d"));
  EXPECT_TRUE(matches_pattern("a[", "a["));
  EXPECT_TRUE(matches_pattern("?", "\xC3\xA9"));
  EXPECT_TRUE(matches_pattern("*b*b*c", "abababc"));
  EXPECT_FALSE(matches_pattern("*", "a/b"));
  EXPECT_FALSE(matches_pattern("targets/*.tgz", "targets/foo/bar.tgz"));
  EXPECT_FALSE(matches_pattern("a?b", "a/b"));
  EXPECT_FALSE(matches_pattern("a[!x]b", "a/b"));
  EXPECT_FALSE(matches_pattern("model-[!a-c]", "model-b"));
  EXPECT_FALSE(matches_pattern("abc", "abcd"));
  EXPECT_FALSE(matches_pattern("abc?", "abc"));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_FALSE(matches_pattern("a/*", "a"));
}

TEST(Names, APatternMadeToBeSlowIsNot) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(matches_pattern(pattern + "b", std::string(4000, 'a')));
}

TEST(Names, StrangeNamesMakeHarmlessFiles) {
  EXPECT_EQ(percent_encoded("../a b/ü?#%"), "..%2Fa%20b%2F%C3%BC%3F%23%25");
  EXPECT_EQ(url_path("a b/ü?#%.bin"), "a%20b/%C3%BC%3F%23%25.bin");
  EXPECT_EQ(file_name_for("press/7"), "press%2F7");
  for (const std::string& name : {std::string("."), std::string(".."), std::string(), std::string(300, '/')}) {
    EXPECT_EQ(file_name_for(name).size(), 64u) << name;
  }
  EXPECT_EQ(shown("a\nb\x1b"), "a%0Ab%1B");
}

TEST(Names, BinsAreTheFirstBitsOfTheHash) {
  const std::string digest = sha256("press7").hex();
  EXPECT_EQ(bin_name("bin", 8, "press7"), "bin-" + digest.substr(0, 2));
  EXPECT_EQ(bin_name("bin", 32, "press7"), "bin-" + digest.substr(0, 8));
  EXPECT_EQ(bin_name("b", 10, "press7"), fmt::format("b-{:03x}", std::stoul(digest.substr(0, 3), nullptr, 16) >> 2));
}

// A root as another program writes it (Python's json and cryptography, its canonical form written anew there): ECDSA,
// members that TUF does not know, several lines.
constexpr std::string_view kForeignRoot = R"({
 "signatures": [
  {
   "keyid": "press-owner",
   "sig": "3045022100c3250143c92ea54a7e40e866194703400db6427518d68fefe8bf518ce04f104e02200f6f7b4c1d3d65406417e91b8f4618f511513f4169445dd7e0751e6e0c71393c"
  }
 ],
 "signed": {
  "_type": "root",
  "consistent_snapshot": true,
  "expires": "2044-08-10T10:05:04Z",
  "keys": {
   "press-owner": {
    "keytype": "ecdsa",
    "keyval": {
     "public": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWlxLVafpcDRWijVWwLoztnT6R2Lp\nSkE+N916ogSN8hiYwsiOr6y9RNonCrcwPfdV9+6R7fj5PArUSSNjExpFGg==\n-----END PUBLIC KEY-----\n"
    },
    "scheme": "ecdsa-sha2-nistp256",
    "x-signing": [
     "a",
     -1,
     null,
     false,
     {
      "\ud800\udc00": 1,
      "\uffff": 2
     }
    ]
   }
  },
  "roles": {
   "root": {
    "keyids": [
     "press-owner"
    ],
    "threshold": 1,
    "x-owner": "M\u00fcller \"Presse\" \\ 7"
   },
   "snapshot": {
    "keyids": [
     "press-owner"
    ],
    "threshold": 1,
    "x-owner": "M\u00fcller \"Presse\" \\ 7"
   },
   "targets": {
    "keyids": [
     "press-owner"
    ],
    "threshold": 1,
    "x-owner": "M\u00fcller \"Presse\" \\ 7"
   },
   "timestamp": {
    "keyids": [
     "press-owner"
    ],
    "threshold": 1,
    "x-owner": "M\u00fcller \"Presse\" \\ 7"
   }
  },
  "spec_version": "1.0.31",
  "version": 1,
  "x-note": "line\nfeed\ttab"
 }
})";

TEST(Metadata, VerifiesTheRootOfAnotherProgram) {
  const auto root = parse<Root>(kForeignRoot);
  ASSERT_TRUE(root.has_value()) << root.error().message;
  EXPECT_EQ(root->body.header.version, 1u);
  EXPECT_EQ(keys_that_signed(root->signed_text, root->signatures, root->body.keys, root->body.roles.at("root")), 1u);
  // One unknown member changed, and nobody signed that.
  std::string changed(kForeignRoot);
  changed.replace(changed.find("feed"), 4, "Feed");
  const auto other = parse<Root>(changed);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(keys_that_signed(other->signed_text, other->signatures, other->body.keys, other->body.roles.at("root")),
            0u);
}

Root root_of(const SigningKey& key) {
  Root root;
  root.header.expires_s = 4'000'000'000;
  root.keys.emplace(key.keyid(), key.public_key());
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
    root.roles.emplace(role, RoleKeys{.keyids = {key.keyid()}, .threshold = 1});
  }
  return root;
}

TEST(Metadata, RefusesWhatIsNotStrict) {
  const SigningKey key = SigningKey::generate(KeyKind::kEd25519);
  const std::string text = signed_text(root_of(key));
  const json good = json::parse(document_bytes(text, {key.sign(text)}));
  const auto refused = [&good](const char* patch, const char* words) {
    const auto parsed = parse<Root>(good.patch(json::parse(patch)).dump());
    ASSERT_FALSE(parsed.has_value()) << patch;
    EXPECT_THAT(parsed.error().message, HasSubstr(words)) << patch;
  };
  EXPECT_TRUE(parse<Root>(good.dump()).has_value());
  refused(R"([{"op":"remove","path":"/signatures"}])", "'signatures' is missing");
  refused(R"([{"op":"copy","from":"/signatures/0","path":"/signatures/1"}])", "two signatures of one key id");
  refused(R"([{"op":"replace","path":"/signed/_type","value":"targets"}])", "it is of type 'targets', not 'root'");
  refused(R"([{"op":"replace","path":"/signed/spec_version","value":"2.0.0"}])", "knows version 1");
  refused(R"([{"op":"replace","path":"/signed/spec_version","value":"1"}])", "must look like 1.0.34");
  refused(R"([{"op":"replace","path":"/signed/version","value":0}])", "'version' must be a whole number of at least 1");
  refused(R"([{"op":"replace","path":"/signed/version","value":1.0}])", "'version' must be a whole number");
  refused(R"([{"op":"replace","path":"/signed/version","value":"1"}])", "'version' must be a whole number");
  refused(R"([{"op":"replace","path":"/signed/expires","value":"2030-01-01"}])", "a time looks like");
  refused(R"([{"op":"remove","path":"/signed/roles/snapshot"}])", "'snapshot' is missing");
  refused(R"([{"op":"replace","path":"/signed/roles/root/threshold","value":0}])", "'threshold' must be");
  refused(R"([{"op":"copy","from":"/signed/roles/root/keyids/0","path":"/signed/roles/root/keyids/1"}])",
          "stands twice");
  refused(R"([{"op":"add","path":"/signed/custom","value":0.5}])", "fraction");
  EXPECT_THAT(parse<Root>(R"({"signed":1,"signed":2})").error().message, HasSubstr("stands twice"));
  EXPECT_FALSE(parse<Root>(good.dump().substr(0, 200)).has_value());
}

TEST(Metadata, RefusesDelegationsThatFool) {
  const auto words = [](const char* delegations) {
    const json body = {{"_type", "targets"},
                       {"spec_version", "1.0.0"},
                       {"version", 1},
                       {"expires", "2030-01-01T00:00:00Z"},
                       {"targets", json::object()},
                       {"delegations", json::parse(delegations)}};
    const auto parsed = parse<Targets>(json{{"signatures", json::array()}, {"signed", body}}.dump());
    return parsed ? std::string() : parsed.error().message;
  };
  const auto role = [&words](const std::string& members) {
    return words((R"({"keys":{},"roles":[{"keyids":[],"threshold":1,)" + members + "}]}").c_str());
  };
  EXPECT_EQ(role(R"("name":"a","terminating":false,"paths":["*"])"), "");
  EXPECT_EQ(role(R"("name":"a","terminating":false,"path_hash_prefixes":["ab"])"), "");
  EXPECT_THAT(role(R"("name":"snapshot","terminating":false,"paths":["*"])"),
              HasSubstr("may not be called 'snapshot'"));
  EXPECT_THAT(role(R"("name":"","terminating":false,"paths":["*"])"), HasSubstr("may not be called"));
  EXPECT_THAT(role(R"("name":"a","paths":["*"])"), HasSubstr("'terminating' is missing"));
  EXPECT_THAT(role(R"("name":"a","terminating":false)"), HasSubstr("either 'paths' or"));
  EXPECT_THAT(role(R"("name":"a","terminating":false,"paths":["*"],"path_hash_prefixes":[""])"), HasSubstr("either"));
  EXPECT_THAT(words(R"({"keys":{},"succinct_roles":{"keyids":[],"threshold":1,"bit_length":33,"name_prefix":"b"}})"),
              HasSubstr("1 to 32"));
}

TEST(Metadata, WrittenAndReadAgainIsTheSame) {
  const SigningKey key = SigningKey::generate(KeyKind::kEcdsaP256);  // a PEM key: line feeds in a text
  Targets targets;
  targets.header = {.version = 7, .expires_s = 2'000'000'000};
  targets.targets["line 1/ü\n.bundle"] = {.length = 5, .hashes = hashes_of("hello"), .custom = R"({"deadline_ms":20})"};
  targets.delegations.keys.emplace(key.keyid(), key.public_key());
  targets.delegations.roles.push_back(
      {.name = "../press", .keys = {.keyids = {key.keyid()}, .threshold = 1}, .terminating = true, .paths = {"a/*"}});
  targets.delegations.roles.push_back(
      {.name = "z", .keys = {.keyids = {key.keyid()}, .threshold = 2}, .path_hash_prefixes = {"0a"}});
  const std::string text = signed_text(targets);
  const auto parsed = parse<Targets>(document_bytes(text, {key.sign(text)}));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->signed_text, text);
  EXPECT_EQ(signed_text(parsed->body), text);
  EXPECT_EQ(parsed->body.targets.begin()->second.custom, R"({"deadline_ms":20})");
}

// Coverage by a list in the order of trust, cut behind the first that terminates.
TEST(Metadata, DelegationsCoverInOrder) {
  Delegations delegations;
  delegations.roles.push_back({.name = "a", .paths = {"x/*"}});
  delegations.roles.push_back({.name = "b", .terminating = true, .paths = {"*", "y/*"}});
  delegations.roles.push_back({.name = "c", .path_hash_prefixes = {sha256("y/1").hex().substr(0, 4)}});
  delegations.roles.push_back({.name = "d", .paths = {"*/*"}});
  const auto names = [&delegations](const char* target) {
    std::vector<std::string> found;
    bool terminating = false;
    for (const CoveringRole& role : delegations.covering(target, terminating)) found.push_back(role.name);
    if (terminating) found.emplace_back("end");
    return found;
  };
  EXPECT_THAT(names("x/1"), ElementsAre("a", "d"));
  EXPECT_THAT(names("y/1"), ElementsAre("b", "end"));
  EXPECT_TRUE(names("x/1/2").empty());
  delegations.roles[1].terminating = false;
  EXPECT_THAT(names("y/1"), ElementsAre("b", "c", "d"));
}

class EachKind : public ::testing::TestWithParam<KeyKind> {};

TEST_P(EachKind, SignsAndVerifies) {
  const SigningKey key = SigningKey::generate(GetParam());
  const auto reader = PublicKey::read(key.public_key());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  const Signature signature = key.sign("go");
  EXPECT_TRUE(reader->signed_by("go", signature.value));
  EXPECT_FALSE(reader->signed_by("gO", signature.value));
  EXPECT_FALSE(reader->signed_by("go", ""));
  EXPECT_FALSE(reader->signed_by("go", "zz"));
  EXPECT_FALSE(reader->signed_by("go", SigningKey::generate(GetParam()).sign("go").value));
  for (size_t i = 0; i < signature.value.size(); i += 7) {
    std::string bent = signature.value;
    bent[i] = bent[i] == '0' ? '1' : '0';
    EXPECT_FALSE(reader->signed_by("go", bent)) << i;
  }
}

TEST_P(EachKind, IsKeptUnderAPassphrase) {
  const SigningKey key = SigningKey::generate(GetParam());
  const std::string pem = key.to_pem("die 7");
  EXPECT_THAT(pem, HasSubstr("BEGIN ENCRYPTED PRIVATE KEY"));
  // One guess costs as much as every other.
  if (GetParam() == KeyKind::kEd25519) {
    EXPECT_FALSE(SigningKey::from_pem(pem, "die 8").has_value());
    EXPECT_FALSE(SigningKey::from_pem(pem, "").has_value());
  }
  const auto again = SigningKey::from_pem(pem, "die 7");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->keyid(), key.keyid());
  EXPECT_EQ(SigningKey::from_pem(key.to_pem(""), "")->keyid(), key.keyid());
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachKind, ::testing::Values(KeyKind::kEd25519, KeyKind::kRsaPss, KeyKind::kEcdsaP256));

// Vector from RFC 8032, section 7.1, test 2.
TEST(PublicKey, VerifiesTheVectorOfTheRfc) {
  const auto key = PublicKey::read({.keytype = "ed25519",
                                    .scheme = "ed25519",
                                    .value = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"});
  ASSERT_TRUE(key.has_value());
  EXPECT_TRUE(key->signed_by("\x72",
                             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                             "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
}

TEST(PublicKey, OneKeyUnderTwoIdsCountsOnce) {
  const SigningKey one = SigningKey::generate(KeyKind::kEd25519);
  const SigningKey two = SigningKey::generate(KeyKind::kEcdsaP256);
  const Keys keys = {{"a", one.public_key()}, {"b", one.public_key()}, {"c", two.public_key()}};
  const Signature by_one = one.sign("text");
  const Signature by_two = two.sign("text");
  const RoleKeys role{.keyids = {"a", "b", "c", "unknown"}, .threshold = 2};
  const auto count = [&](std::vector<Signature> signatures) {
    return keys_that_signed("text", signatures, keys, role);
  };
  EXPECT_EQ(count({{"a", by_one.value}, {"b", by_one.value}}), 1u);
  EXPECT_EQ(count({{"a", by_one.value}, {"c", by_two.value}}), 2u);
  EXPECT_EQ(count({{"a", by_two.value}, {"c", by_one.value}}), 0u) << "under each other's id";
  EXPECT_EQ(count({{"unknown", by_one.value}, {"d", by_two.value}}), 0u);
  EXPECT_EQ(count({{"a", ""}, {"c", by_two.value}}), 1u) << "one that does not fit does no harm";
  // The same Ed25519 key as PEM and in hexadecimal would be one as well.
  EXPECT_FALSE(check_threshold("targets", "text", {{"a", by_one.value}}, keys, role).has_value());
}

TEST(PublicKey, RefusesWeakAndStrangeKeys) {
  const auto read = [](const char* type, const char* scheme, const std::string& value) {
    return PublicKey::read({.keytype = type, .scheme = scheme, .value = value}).has_value();
  };
  const std::string ecdsa = SigningKey::generate(KeyKind::kEcdsaP256).public_key().value;
  EXPECT_TRUE(read("ecdsa", "ecdsa-sha2-nistp256", ecdsa));
  EXPECT_TRUE(read("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", ecdsa));
  EXPECT_FALSE(read("rsa", "rsassa-pss-sha256", ecdsa)) << "a key of another type";
  EXPECT_FALSE(read("ecdsa", "ed25519", ecdsa));
  EXPECT_FALSE(read("dsa", "dsa", ecdsa));
  EXPECT_FALSE(read("ed25519", "ed25519", "abcd"));
  EXPECT_FALSE(read("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  // 1,024 bits, made by `openssl genrsa 1024 | openssl rsa -pubout`.
  EXPECT_FALSE(read("rsa", "rsassa-pss-sha256",
                    "-----BEGIN PUBLIC KEY-----\n"
                    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDTGlbzQzUcmez6CNfg31hjjyHS\n"
                    "NQN1uUeWLSIyLM2+xA6Fw2HIcJkpkVWl3C+6MF111lJaxTcyYzMmmhdOXmqbAtB5\n"
                    "8OhXVRaiFeR2tFU0QvB8u7yK8rrbHl7ONaAK0ym7e7CEGkOpLVlSS9zPw+vETHFq\n"
                    "iLJxKU8rgluSpcNqywIDAQAB\n"
                    "-----END PUBLIC KEY-----\n"));
}

}  // namespace
}  // namespace millwright::net::tuf
