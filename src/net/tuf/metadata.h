// SPDX-License-Identifier: Apache-2.0
// TUF's documents (specification 1.0.x, section 4), read strictly. A document from a stranger is bounded, has each
// member once and each of its kind; what the specification does not name stays in the canonical text, which is what was
// signed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/tuf/hashes.h"

namespace millwright::net::tuf {

// As they stand in "_type".
enum class RoleType { kRoot, kTimestamp, kSnapshot, kTargets };
std::string_view name(RoleType type);
// Whether a delegated role may not have this name.
bool is_top_level(std::string_view role_name);

struct Key {
  std::string keytype;  // "ed25519", "rsa", "ecdsa"
  std::string scheme;   // "ed25519", "rsassa-pss-sha256", "ecdsa-sha2-nistp256"
  std::string value;    // keyval.public: hexadecimal (Ed25519) or PEM
};
using Keys = std::map<std::string, Key, std::less<>>;  // by key id

struct RoleKeys {
  std::vector<std::string> keyids;  // each once
  uint64_t threshold = 1;           // at least 1; may be beyond the number of keys, then nothing is ever accepted
};

struct Signature {
  std::string keyid;
  std::string value;  // as it came; hexadecimal where it is to count
};

// What timestamp says of snapshot, and snapshot of each targets role.
struct MetaFile {
  uint64_t version = 1;            // at least 1
  std::optional<uint64_t> length;  // bytes
  std::optional<Hashes> hashes;    // if stated, then at least one that we know
};

struct TargetFile {
  uint64_t length = 0;  // bytes
  Hashes hashes;        // at least one
  std::string custom;   // JSON of "custom", or empty
};

struct Delegation {
  std::string name;
  RoleKeys keys;
  bool terminating = false;
  // One of both is given.
  std::vector<std::string> paths;
  std::vector<std::string> path_hash_prefixes;  // lower-case hexadecimal

  // Whether the role may speak of this target.
  [[nodiscard]] bool covers(std::string_view target) const;
};

// Hashed bins (TAP 15): 2^bit_length roles, PREFIX-HEX, with the same keys. Terminating.
struct SuccinctRoles {
  RoleKeys keys;
  int bit_length = 1;  // 1 to 32
  std::string name_prefix;
};

// A role that may speak of a target, and whose keys say so.
struct CoveringRole {
  std::string name;
  RoleKeys keys;
};

struct Delegations {
  Keys keys;
  std::vector<Delegation> roles;  // in the order of trust
  std::optional<SuccinctRoles> succinct;

  // In the order of trust. `terminating` is set where no role outside of these may speak of the target any more.
  [[nodiscard]] std::vector<CoveringRole> covering(std::string_view target, bool& terminating) const;
};

struct Header {
  std::string spec_version = "1.0.34";
  uint64_t version = 1;   // at least 1
  int64_t expires_s = 0;  // seconds since 1970-01-01 UTC; not valid at this instant any more
};

struct Root {
  static constexpr RoleType kType = RoleType::kRoot;
  Header header;
  bool consistent_snapshot = true;
  Keys keys;
  std::map<std::string, RoleKeys, std::less<>> roles;  // all four
};

struct Timestamp {
  static constexpr RoleType kType = RoleType::kTimestamp;
  Header header;
  MetaFile snapshot;
};

struct Snapshot {
  static constexpr RoleType kType = RoleType::kSnapshot;
  Header header;
  std::map<std::string, MetaFile, std::less<>> meta;  // by role name, without ".json"
};

struct Targets {
  static constexpr RoleType kType = RoleType::kTargets;
  Header header;
  std::map<std::string, TargetFile, std::less<>> targets;
  Delegations delegations;
};

template <typename T>
struct Document {
  T body;
  std::string signed_text;            // canonical: what the signatures are over
  std::vector<Signature> signatures;  // each key id once
};

// Beyond these a document is refused whatever its size: each bounds a loop.
inline constexpr size_t kMaxSignatures = 256;
inline constexpr size_t kMaxKeys = 1024;
inline constexpr size_t kMaxDelegations = 4096;
inline constexpr size_t kMaxNameBytes = 4096;

// Reads a document of this type. kInvalidInput or kCorrupt says in one line which member is wrong; nothing is verified
// here.
template <typename T>
Result<Document<T>> parse(std::string_view bytes);

extern template Result<Document<Root>> parse<Root>(std::string_view);
extern template Result<Document<Timestamp>> parse<Timestamp>(std::string_view);
extern template Result<Document<Snapshot>> parse<Snapshot>(std::string_view);
extern template Result<Document<Targets>> parse<Targets>(std::string_view);

// The canonical text of "signed". A body that was parsed loses here what the specification does not name.
std::string signed_text(const Root& body);
std::string signed_text(const Timestamp& body);
std::string signed_text(const Snapshot& body);
std::string signed_text(const Targets& body);

// The document's bytes, for a file: signatures in the order given.
std::string document_bytes(std::string_view signed_text, const std::vector<Signature>& signatures);

}  // namespace millwright::net::tuf
