// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "net/tuf/canonical_json.h"
#include "net/tuf/expiry.h"
#include "net/tuf/metadata.h"

namespace millwright::net::tuf {
namespace {

using nlohmann::json;

json common(RoleType type, const Header& header) {
  return {{"_type", name(type)},
          {"spec_version", header.spec_version},
          {"version", header.version},
          {"expires", format_expiry(header.expires_s)}};
}

json to_json(const Hashes& hashes) {
  json object = json::object();
  if (!hashes.sha256.empty()) object["sha256"] = hashes.sha256;
  if (!hashes.sha512.empty()) object["sha512"] = hashes.sha512;
  return object;
}

json to_json(const Keys& keys) {
  json object = json::object();
  for (const auto& [keyid, key] : keys) {
    object[keyid] = {{"keytype", key.keytype}, {"scheme", key.scheme}, {"keyval", {{"public", key.value}}}};
  }
  return object;
}

json to_json(const RoleKeys& keys) { return {{"keyids", keys.keyids}, {"threshold", keys.threshold}}; }

json to_json(const MetaFile& file) {
  json object = {{"version", file.version}};
  if (file.length) object["length"] = *file.length;
  if (file.hashes) object["hashes"] = to_json(*file.hashes);
  return object;
}

json to_json(const Delegations& delegations) {
  json object = {{"keys", to_json(delegations.keys)}};
  if (delegations.succinct) {
    json roles = to_json(delegations.succinct->keys);
    roles["bit_length"] = delegations.succinct->bit_length;
    roles["name_prefix"] = delegations.succinct->name_prefix;
    object["succinct_roles"] = std::move(roles);
    return object;
  }
  json roles = json::array();
  for (const Delegation& delegation : delegations.roles) {
    json role = to_json(delegation.keys);
    role["name"] = delegation.name;
    role["terminating"] = delegation.terminating;
    if (delegation.path_hash_prefixes.empty()) {
      role["paths"] = delegation.paths;
    } else {
      role["path_hash_prefixes"] = delegation.path_hash_prefixes;
    }
    roles.push_back(std::move(role));
  }
  object["roles"] = std::move(roles);
  return object;
}

// All numbers of ours are whole.
std::string text_of_ours(const json& object) {
  auto text = canonical_json(object);
  MW_CHECK(text.has_value(), "what we write has a canonical form");
  return *std::move(text);
}

}  // namespace

std::string signed_text(const Root& body) {
  json object = common(Root::kType, body.header);
  object["consistent_snapshot"] = body.consistent_snapshot;
  object["keys"] = to_json(body.keys);
  object["roles"] = json::object();
  for (const auto& [role, keys] : body.roles) object["roles"][role] = to_json(keys);
  return text_of_ours(object);
}

std::string signed_text(const Timestamp& body) {
  json object = common(Timestamp::kType, body.header);
  object["meta"] = {{"snapshot.json", to_json(body.snapshot)}};
  return text_of_ours(object);
}

std::string signed_text(const Snapshot& body) {
  json object = common(Snapshot::kType, body.header);
  object["meta"] = json::object();
  for (const auto& [role, file] : body.meta) object["meta"][role + ".json"] = to_json(file);
  return text_of_ours(object);
}

std::string signed_text(const Targets& body) {
  json object = common(Targets::kType, body.header);
  object["targets"] = json::object();
  for (const auto& [path, file] : body.targets) {
    json entry = {{"length", file.length}, {"hashes", to_json(file.hashes)}};
    if (!file.custom.empty()) entry["custom"] = json::parse(file.custom, nullptr, false);
    object["targets"][path] = std::move(entry);
  }
  if (!body.delegations.roles.empty() || body.delegations.succinct) object["delegations"] = to_json(body.delegations);
  return text_of_ours(object);
}

std::string document_bytes(std::string_view signed_text, const std::vector<Signature>& signatures) {
  json list = json::array();
  for (const Signature& signature : signatures) list.push_back({{"keyid", signature.keyid}, {"sig", signature.value}});
  return fmt::format("{{\"signatures\":{},\"signed\":{}}}\n", list.dump(), as_json(signed_text));
}

}  // namespace millwright::net::tuf
