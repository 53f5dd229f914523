// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/metadata.h"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "model/json_fields.h"
#include "net/tuf/canonical_json.h"
#include "net/tuf/expiry.h"
#include "net/tuf/names.h"
#include "net/tuf/read_members.h"

namespace millwright::net::tuf {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kTopLevel = {"root", "timestamp", "snapshot", "targets"};
constexpr std::string_view kSuffix = ".json";

Status require_object(const json& value, std::string_view what) {
  if (!value.is_object()) return fail(ErrorCode::kInvalidInput, "{} must be an object", what);
  return {};
}

// 1.x.y or 1.x, as the specification's versions are.
Status check_spec_version(std::string_view text) {
  const bool formed = std::ranges::all_of(text, [](char c) { return c == '.' || (c >= '0' && c <= '9'); }) &&
                      std::ranges::count(text, '.') >= 1 && std::ranges::count(text, '.') <= 2;
  if (!formed) return fail(ErrorCode::kInvalidInput, "'spec_version' must look like 1.0.34");
  if (!text.starts_with("1.")) {
    return fail(ErrorCode::kUnsupported, "it follows TUF {}; this program knows version 1", text);
  }
  return {};
}

Result<Header> read_header(const json& body, RoleType type) {
  const std::string stated = MW_TRY(name_at(body, "_type"));
  if (stated != name(type)) {
    return fail(ErrorCode::kInvalidInput, "it is of type '{}', not '{}'", shown(stated), name(type));
  }
  Header header;
  header.spec_version = MW_TRY(name_at(body, "spec_version"));
  MW_CHECK_OK(check_spec_version(header.spec_version));
  header.version = MW_TRY(whole_at(body, "version", 1));
  const std::string expires = MW_TRY(name_at(body, "expires"));
  header.expires_s = MW_TRY_IN("'expires'", parse_expiry(expires));
  return header;
}

Result<Keys> read_keys(const json& owner) {
  const json* object = MW_TRY(object_at(owner, "keys"));
  if (object->size() > kMaxKeys) return fail(ErrorCode::kTooLarge, "more than {} keys", kMaxKeys);
  Keys keys;
  for (const auto& [keyid, value] : object->items()) {
    const std::string where = fmt::format("key {}", shown(keyid));
    MW_CHECK_OK(require_object(value, where));
    Key key;
    key.keytype = MW_TRY_IN(where, name_at(value, "keytype"));
    key.scheme = MW_TRY_IN(where, name_at(value, "scheme"));
    const json* public_part = MW_TRY_IN(where, object_at(value, "keyval"));
    key.value = MW_TRY_IN(where, text_of(*public_part, "public"));
    keys.emplace(keyid, std::move(key));
  }
  return keys;
}

Result<RoleKeys> read_role_keys(const json& role) {
  RoleKeys keys;
  keys.keyids = MW_TRY(names_at(role, "keyids", kMaxKeys));
  const std::set<std::string> unique(keys.keyids.begin(), keys.keyids.end());
  if (unique.size() != keys.keyids.size()) return fail(ErrorCode::kInvalidInput, "a key id stands twice in 'keyids'");
  keys.threshold = MW_TRY(whole_at(role, "threshold", 1));
  return keys;
}

Result<MetaFile> read_meta_file(const json& value) {
  MW_CHECK_OK(require_object(value, "it"));
  MetaFile file;
  file.version = MW_TRY(whole_at(value, "version", 1));
  if (value.contains("length")) file.length = MW_TRY(whole_at(value, "length", 1));
  if (value.contains("hashes")) file.hashes = MW_TRY(hashes_at(value));
  return file;
}

Status read_body(const json& value, Root& body) {
  body.consistent_snapshot = false;
  if (value.contains("consistent_snapshot")) body.consistent_snapshot = MW_TRY(flag_at(value, "consistent_snapshot"));
  body.keys = MW_TRY(read_keys(value));
  const json* roles = MW_TRY(object_at(value, "roles"));
  for (const std::string_view role : kTopLevel) {
    const json* entry = MW_TRY_IN("'roles'", object_at(*roles, role));
    body.roles.emplace(role, MW_TRY_IN(fmt::format("role {}", role), read_role_keys(*entry)));
  }
  return {};
}

Status read_body(const json& value, Timestamp& body) {
  const json* meta = MW_TRY(object_at(value, "meta"));
  const json* snapshot = MW_TRY_IN("'meta'", object_at(*meta, "snapshot.json"));
  body.snapshot = MW_TRY_IN("snapshot.json", read_meta_file(*snapshot));
  return {};
}

Status read_body(const json& value, Snapshot& body) {
  const json* meta = MW_TRY(object_at(value, "meta"));
  for (const auto& [file, entry] : meta->items()) {
    if (!file.ends_with(kSuffix) || file.size() > kMaxNameBytes) {
      return fail(ErrorCode::kInvalidInput, "'meta': '{}' is not a name ending in .json", shown(file));
    }
    body.meta.emplace(file.substr(0, file.size() - kSuffix.size()), MW_TRY_IN(shown(file), read_meta_file(entry)));
  }
  if (!body.meta.contains("targets")) return fail(ErrorCode::kInvalidInput, "'meta': targets.json is missing");
  return {};
}

Result<Delegation> read_delegation(const json& value) {
  MW_CHECK_OK(require_object(value, "a delegated role"));
  Delegation role;
  role.name = MW_TRY(name_at(value, "name"));
  if (role.name.empty() || is_top_level(role.name)) {
    return fail(ErrorCode::kInvalidInput, "a delegated role may not be called '{}'", shown(role.name));
  }
  const std::string where = fmt::format("delegated role {}", shown(role.name));
  role.keys = MW_TRY_IN(where, read_role_keys(value));
  role.terminating = MW_TRY_IN(where, flag_at(value, "terminating"));
  if (value.contains("paths") == value.contains("path_hash_prefixes")) {
    return fail(ErrorCode::kInvalidInput, "{}: it must have either 'paths' or 'path_hash_prefixes'", where);
  }
  if (value.contains("paths")) {
    role.paths = MW_TRY_IN(where, names_at(value, "paths", kMaxDelegations));
    return role;
  }
  role.path_hash_prefixes = MW_TRY_IN(where, names_at(value, "path_hash_prefixes", kMaxDelegations));
  for (std::string& prefix : role.path_hash_prefixes) {
    std::ranges::transform(prefix, prefix.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  }
  return role;
}

Result<SuccinctRoles> read_succinct(const json& value) {
  SuccinctRoles roles;
  roles.keys = MW_TRY(read_role_keys(value));
  const uint64_t bits = MW_TRY(whole_at(value, "bit_length", 1));
  if (bits > 32) return fail(ErrorCode::kInvalidInput, "'bit_length' must be 1 to 32");
  roles.bit_length = static_cast<int>(bits);
  roles.name_prefix = MW_TRY(name_at(value, "name_prefix"));
  return roles;
}

Result<Delegations> read_delegations(const json& value) {
  Delegations delegations;
  delegations.keys = MW_TRY(read_keys(value));
  if (value.contains("succinct_roles") == value.contains("roles")) {
    return fail(ErrorCode::kInvalidInput, "it must have either 'roles' or 'succinct_roles'");
  }
  if (value.contains("succinct_roles")) {
    const json* succinct = MW_TRY(object_at(value, "succinct_roles"));
    delegations.succinct = MW_TRY_IN("'succinct_roles'", read_succinct(*succinct));
    return delegations;
  }
  const json* roles = MW_TRY(array_at(value, "roles"));
  if (roles->size() > kMaxDelegations) return fail(ErrorCode::kTooLarge, "more than {} roles", kMaxDelegations);
  std::set<std::string> seen;
  for (const json& entry : *roles) {
    delegations.roles.push_back(MW_TRY(read_delegation(entry)));
    if (!seen.insert(delegations.roles.back().name).second) {
      return fail(ErrorCode::kInvalidInput, "role {} stands twice", shown(delegations.roles.back().name));
    }
  }
  return delegations;
}

Status read_body(const json& value, Targets& body) {
  const json* targets = MW_TRY(object_at(value, "targets"));
  for (const auto& [path, entry] : targets->items()) {
    const std::string where = fmt::format("target {}", shown(path));
    if (path.size() > kMaxNameBytes)
      return fail(ErrorCode::kTooLarge, "{}: a longer name than {}", where, kMaxNameBytes);
    MW_CHECK_OK(require_object(entry, where));
    TargetFile file;
    file.length = MW_TRY_IN(where, whole_at(entry, "length", 0));
    file.hashes = MW_TRY_IN(where, hashes_at(entry));
    if (entry.contains("custom")) file.custom = as_json(MW_TRY_IN(where, canonical_json(entry["custom"])));
    body.targets.emplace(path, std::move(file));
  }
  if (value.contains("delegations")) {
    const json* delegations = MW_TRY(object_at(value, "delegations"));
    body.delegations = MW_TRY_IN("'delegations'", read_delegations(*delegations));
  }
  return {};
}

Result<std::vector<Signature>> read_signatures(const json& document) {
  const json* array = MW_TRY(array_at(document, "signatures"));
  if (array->size() > kMaxSignatures) return fail(ErrorCode::kTooLarge, "more than {} signatures", kMaxSignatures);
  std::vector<Signature> signatures;
  std::set<std::string> seen;
  for (const json& entry : *array) {
    MW_CHECK_OK(require_object(entry, "a signature"));
    signatures.push_back({.keyid = MW_TRY_IN("signature", name_at(entry, "keyid")),
                          .value = MW_TRY_IN("signature", text_of(entry, "sig"))});
    if (!seen.insert(signatures.back().keyid).second) {
      return fail(ErrorCode::kInvalidInput, "two signatures of one key id, {}", shown(signatures.back().keyid));
    }
  }
  return signatures;
}

template <typename T>
Result<Document<T>> parse_unworded(std::string_view bytes) {
  const json document = MW_TRY(model::parse_json(bytes));
  MW_CHECK_OK(require_object(document, "metadata"));
  Document<T> parsed;
  parsed.signatures = MW_TRY(read_signatures(document));
  const json* body = MW_TRY(object_at(document, "signed"));
  parsed.body.header = MW_TRY(read_header(*body, T::kType));
  MW_CHECK_OK(read_body(*body, parsed.body));
  parsed.signed_text = MW_TRY(canonical_json(*body));
  return parsed;
}

}  // namespace

template <typename T>
Result<Document<T>> parse(std::string_view bytes) {
  auto parsed = parse_unworded<T>(bytes);
  if (parsed) return parsed;
  Error error = std::move(parsed).error();
  // A stranger's name may stand in the words.
  for (char& c : error.message) {
    if (c < ' ' || c > '~') c = '?';
  }
  return std::unexpected(std::move(error));
}

template Result<Document<Root>> parse<Root>(std::string_view);
template Result<Document<Timestamp>> parse<Timestamp>(std::string_view);
template Result<Document<Snapshot>> parse<Snapshot>(std::string_view);
template Result<Document<Targets>> parse<Targets>(std::string_view);

std::string_view name(RoleType type) { return kTopLevel[static_cast<size_t>(type)]; }

bool is_top_level(std::string_view role_name) { return std::ranges::find(kTopLevel, role_name) != kTopLevel.end(); }

bool Delegation::covers(std::string_view target) const {
  if (std::ranges::any_of(paths, [target](const std::string& p) { return matches_pattern(p, target); })) return true;
  if (path_hash_prefixes.empty()) return false;
  const std::string digest = sha256(target).hex();
  return std::ranges::any_of(path_hash_prefixes, [&digest](const std::string& p) { return digest.starts_with(p); });
}

std::vector<CoveringRole> Delegations::covering(std::string_view target, bool& terminating) const {
  terminating = succinct.has_value();
  if (succinct) {
    return {{.name = bin_name(succinct->name_prefix, succinct->bit_length, target), .keys = succinct->keys}};
  }
  std::vector<CoveringRole> found;
  for (const Delegation& role : roles) {
    if (!role.covers(target)) continue;
    found.push_back({.name = role.name, .keys = role.keys});
    terminating = role.terminating;
    if (terminating) break;
  }
  return found;
}

}  // namespace millwright::net::tuf
