// SPDX-License-Identifier: Apache-2.0
// The repository's side: writes, numbers and signs metadata. It works in memory with the keys that it is given; where
// keys lie on several machines, signing.h puts their signatures together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/tuf/metadata.h"
#include "net/tuf/signing_key.h"

namespace millwright::net::tuf {

inline constexpr int64_t kDayS = 86'400;

struct RepositoryOptions {
  bool consistent_snapshot = true;
  bool state_hashes = true;  // length and hashes of metadata in snapshot and timestamp, beside the version
  // How long each role is valid from the time at which it is published; delegated roles as targets.
  int64_t root_lifetime_s = 365 * kDayS;
  int64_t targets_lifetime_s = 180 * kDayS;
  int64_t snapshot_lifetime_s = 30 * kDayS;
  int64_t timestamp_lifetime_s = 14 * kDayS;
};

class Repository {
 public:
  explicit Repository(RepositoryOptions options = {}) : options_(options) {}

  // From the next root on, these keys sign the role: one of the four, whose old keys stop then. For root itself, the
  // keys of the root before sign the next one too.
  void set_keys(std::string_view role, std::vector<SigningKey> keys, uint64_t threshold);
  // Puts the delegation last, or in the place of the one with its name; its keys and threshold are those given. It
  // counts from the next publish(delegator) on.
  void delegate(std::string_view delegator, Delegation delegation, std::vector<SigningKey> keys, uint64_t threshold);

  // States the bytes of a target in the role's next version.
  void add_target(std::string_view role, const std::string& name, std::string_view bytes, std::string custom = {});

  // Writes the next version of a role ("root", "timestamp", "snapshot", "targets", or a delegated one), valid from
  // `now_s` for its lifetime, signs it, and states it where it must be stated (a targets role in snapshot, snapshot in
  // timestamp; these are not published by that). The bytes.
  const std::string& publish(std::string_view role, int64_t now_s);
  // Targets, the delegated roles, snapshot and timestamp, in this order; root too where it was never published.
  void publish_all(int64_t now_s);

  // What a server has to serve, by file name: each version of what is numbered.
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }
  std::map<std::string, std::string>& files() { return files_; }

  // The bodies for the next version; what a caller sets here is published as it is, but for version and expiry.
  Root& root() { return root_; }
  Timestamp& timestamp() { return timestamp_; }
  Snapshot& snapshot() { return snapshot_; }
  Targets& targets(std::string_view role = "targets") { return targets_[std::string(role)]; }

 private:
  const std::string& put(std::string_view role, uint64_t version, std::string bytes);
  MetaFile stated(uint64_t version, std::string_view bytes) const;

  RepositoryOptions options_;
  Root root_{.header = {.version = 0}};
  Timestamp timestamp_{.header = {.version = 0}};
  Snapshot snapshot_{.header = {.version = 0}};
  std::map<std::string, Targets, std::less<>> targets_ = {{"targets", Targets{.header = {.version = 0}}}};
  std::map<std::string, std::vector<SigningKey>, std::less<>> keys_;
  std::vector<SigningKey> last_root_keys_;
  std::map<std::string, std::string> files_;
};

}  // namespace millwright::net::tuf
