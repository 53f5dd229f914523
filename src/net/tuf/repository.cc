// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/repository.h"

#include <algorithm>
#include <set>

#include "net/tuf/names.h"
#include "net/tuf/signing.h"

namespace millwright::net::tuf {
namespace {

RoleKeys role_keys(const std::vector<SigningKey>& keys, uint64_t threshold) {
  RoleKeys role{.threshold = threshold};
  for (const SigningKey& key : keys) role.keyids.push_back(key.keyid());
  return role;
}

// Keys that no role names any more are taken out.
void forget_unused(Root& root) {
  std::set<std::string> used;
  for (const auto& [role, keys] : root.roles) used.insert(keys.keyids.begin(), keys.keyids.end());
  std::erase_if(root.keys, [&used](const auto& entry) { return !used.contains(entry.first); });
}

}  // namespace

void Repository::set_keys(std::string_view role, std::vector<SigningKey> keys, uint64_t threshold) {
  root_.roles[std::string(role)] = role_keys(keys, threshold);
  for (const SigningKey& key : keys) root_.keys.insert_or_assign(key.keyid(), key.public_key());
  forget_unused(root_);
  keys_[std::string(role)] = std::move(keys);
}

void Repository::delegate(std::string_view delegator, Delegation delegation, std::vector<SigningKey> keys,
                          uint64_t threshold) {
  Delegations& delegations = targets(delegator).delegations;
  delegation.keys = role_keys(keys, threshold);
  for (const SigningKey& key : keys) delegations.keys.insert_or_assign(key.keyid(), key.public_key());
  if (!targets_.contains(delegation.name)) targets_[delegation.name].header.version = 0;
  keys_[delegation.name] = std::move(keys);
  const auto same = std::ranges::find(delegations.roles, delegation.name, &Delegation::name);
  if (same == delegations.roles.end()) {
    delegations.roles.push_back(std::move(delegation));
  } else {
    *same = std::move(delegation);
  }
}

void Repository::add_target(std::string_view role, const std::string& name, std::string_view bytes,
                            std::string custom) {
  targets(role).targets[name] = {.length = bytes.size(), .hashes = hashes_of(bytes), .custom = std::move(custom)};
}

MetaFile Repository::stated(uint64_t version, std::string_view bytes) const {
  MetaFile file{.version = version};
  if (options_.state_hashes) {
    file.length = bytes.size();
    file.hashes = hashes_of(bytes);
  }
  return file;
}

const std::string& Repository::put(std::string_view role, uint64_t version, std::string bytes) {
  std::string file = percent_encoded(role) + ".json";
  const bool numbered = role == "root" || (root_.consistent_snapshot && role != "timestamp");
  if (numbered) file.insert(0, fmt::format("{}.", version));
  return files_[file] = std::move(bytes);
}

const std::string& Repository::publish(std::string_view role, int64_t now_s) {
  const auto next = [now_s](auto& body, int64_t lifetime_s) {
    ++body.header.version;
    body.header.expires_s = now_s + lifetime_s;
    return signed_text(body);
  };
  std::vector<SigningKey> keys = keys_[std::string(role)];
  if (role == "root") {
    root_.consistent_snapshot = options_.consistent_snapshot;
    const std::string text = next(root_, options_.root_lifetime_s);
    const std::vector<SigningKey> now_keys = keys;
    keys.insert(keys.end(), last_root_keys_.begin(), last_root_keys_.end());
    last_root_keys_ = now_keys;
    return put(role, root_.header.version, signed_document(text, keys));
  }
  if (role == "timestamp") {
    const std::string text = next(timestamp_, options_.timestamp_lifetime_s);
    return put(role, timestamp_.header.version, signed_document(text, keys));
  }
  if (role == "snapshot") {
    const std::string text = next(snapshot_, options_.snapshot_lifetime_s);
    const std::string& bytes = put(role, snapshot_.header.version, signed_document(text, keys));
    timestamp_.snapshot = stated(snapshot_.header.version, bytes);
    return bytes;
  }
  Targets& body = targets(role);
  const std::string text = next(body, options_.targets_lifetime_s);
  const std::string& bytes = put(role, body.header.version, signed_document(text, keys));
  snapshot_.meta[std::string(role)] = stated(body.header.version, bytes);
  return bytes;
}

void Repository::publish_all(int64_t now_s) {
  if (root_.header.version == 0) publish("root", now_s);
  for (const auto& [role, body] : targets_) publish(role, now_s);
  publish("snapshot", now_s);
  publish("timestamp", now_s);
}

}  // namespace millwright::net::tuf
