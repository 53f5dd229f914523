// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/client.h"

#include <algorithm>
#include <utility>

#include "net/tuf/expiry.h"
#include "net/tuf/kept_file.h"
#include "net/tuf/names.h"
#include "net/tuf/public_key.h"

namespace millwright::net::tuf {
namespace {

std::string title(std::string_view role, uint64_t version) {
  return fmt::format("{} version {}", shown(role), version);
}

std::unexpected<Error> rollback(std::string_view what, uint64_t offered, uint64_t trusted) {
  return fail(
      ErrorCode::kRefused,
      "rollback: the server offers {} version {}, this box trusts version {} already; somebody replays old files, or "
      "the repository was restored from an old copy (then publish with higher versions). Nothing is changed",
      what, offered, trusted);
}

// Whether the role lost a key from one root to the next (specification 5.3.11); more keys or another threshold are no
// rotation.
bool lost_a_key(const Root& before, const Root& after, const char* role) {
  const auto& old_ids = before.roles.at(role).keyids;
  const auto& new_ids = after.roles.at(role).keyids;
  return std::ranges::any_of(old_ids,
                             [&](const std::string& id) { return std::ranges::find(new_ids, id) == new_ids.end(); });
}

Result<Document<Root>> read_own_root(std::string_view bytes) {
  Document<Root> root = MW_TRY_IN("root", parse<Root>(bytes));
  MW_CHECK_OK(check_threshold("root", root.signed_text, root.signatures, root.body.keys, root.body.roles.at("root")));
  return root;
}

}  // namespace

Client::Client(TrustedStore& store, Fetcher& fetcher, Limits limits)
    : store_(store), fetcher_(fetcher), limits_(limits) {}

Status Client::init(TrustedStore& store, std::string_view root_bytes) {
  MW_TRY(read_own_root(root_bytes));
  const auto there = store.read(metadata_file("root"), Limits{}.stated_bytes);
  if (!there && there.error().code != ErrorCode::kNotFound) return std::unexpected(there.error());
  if (!there) return store.write(metadata_file("root"), root_bytes);
  if (*there == root_bytes) return {};
  return fail(
      ErrorCode::kRefused,
      "this box trusts another root already, and one may not replace it; newer roots come with the update itself. "
      "To begin again with this root, take another folder");
}

Status Client::refresh(int64_t start_s) {
  start_s_ = start_s;
  root_.reset();
  timestamp_.reset();
  snapshot_.reset();
  targets_.reset();
  MW_CHECK_OK(load_root());
  MW_CHECK_OK(update_root());
  MW_CHECK_OK(update_timestamp());
  MW_CHECK_OK(update_snapshot());
  const Root& root = root_->body;
  targets_ = MW_TRY(current_role("targets", root.keys, root.roles.at("targets")));
  return {};
}

Status Client::load_root() {
  auto bytes = store_.read(metadata_file("root"), limits_.root_bytes);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound, "this box has no root to trust; give it the one of its owners first (init)");
  }
  if (!bytes) return std::unexpected(bytes.error());
  root_ = MW_TRY_IN("the kept root", read_own_root(*bytes));
  dropped_ = Dropped::read(store_);
  return {};
}

// Section 5.3. A server that has no next root says that ours is the last.
Status Client::update_root() {
  for (int i = 0; i < limits_.root_rotations; ++i) {
    const auto bytes = fetch("root", root_->body.header.version + 1, limits_.root_bytes);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) break;
    if (!bytes) return std::unexpected(bytes.error());
    MW_CHECK_OK(accept_root(*bytes));
  }
  return check_fresh("root", root_->body.header);
}

Status Client::accept_root(const std::string& bytes) {
  const uint64_t next = root_->body.header.version + 1;
  const std::string what = title("root", next);
  Document<Root> offered = MW_TRY_IN(what, parse<Root>(bytes));
  const auto signed_as = [&](const Root& by, const char* whose) {
    return check_threshold(fmt::format("{}, by the keys of the {} root,", what, whose), offered.signed_text,
                           offered.signatures, by.keys, by.roles.at("root"));
  };
  MW_CHECK_OK(signed_as(root_->body, "trusted"));
  MW_CHECK_OK(signed_as(offered.body, "new"));
  const uint64_t version = offered.body.header.version;
  if (version < next) return rollback("root", version, root_->body.header.version);
  if (version > next) {
    return fail(ErrorCode::kRefused,
                "mix-and-match: the server's {} calls itself version {}; roots must follow one another without a gap. "
                "Publish them anew",
                what, version);
  }
  if (lost_a_key(root_->body, offered.body, "timestamp") || lost_a_key(root_->body, offered.body, "snapshot")) {
    MW_CHECK_OK(dropped_.record(store_, version));
  }
  MW_CHECK_OK(store_.write(metadata_file("root"), bytes));
  root_ = std::move(offered);
  return {};
}

// Section 5.4.
Status Client::update_timestamp() {
  const auto trusted = kept<Timestamp>("timestamp");
  const std::string bytes = MW_TRY(fetch("timestamp", std::nullopt, limits_.timestamp_bytes));
  const Root& root = root_->body;
  Document<Timestamp> offered = MW_TRY_IN("timestamp", parse<Timestamp>(bytes));
  const uint64_t version = offered.body.header.version;
  MW_CHECK_OK(check_threshold(title("timestamp", version), offered.signed_text, offered.signatures, root.keys,
                              root.roles.at("timestamp")));
  if (trusted) {
    const Timestamp& before = trusted->document.body;
    if (version < before.header.version) return rollback("timestamp", version, before.header.version);
    if (version == before.header.version && trusted->full) {
      // Whatever else the server says under this version, ours is the one.
      timestamp_ = trusted->document;
      return check_fresh("timestamp", before.header);
    }
    if (offered.body.snapshot.version < before.snapshot.version) {
      return rollback("snapshot", offered.body.snapshot.version, before.snapshot.version);
    }
  }
  MW_CHECK_OK(check_fresh("timestamp", offered.body.header));
  MW_CHECK_OK(store_.write(metadata_file("timestamp"), bytes));
  timestamp_ = std::move(offered);
  return {};
}

// Section 5.5.
Status Client::update_snapshot() {
  const MetaFile& stated = timestamp_->body.snapshot;
  auto trusted = kept<Snapshot>("snapshot");
  if (trusted && trusted->full && trusted->document.body.header.version == stated.version &&
      fits(stated, trusted->bytes) && check_fresh("snapshot", trusted->document.body.header)) {
    snapshot_ = std::move(trusted->document);
    return {};
  }
  const std::string bytes = MW_TRY(fetch_stated("snapshot", stated, limits_.snapshot_bytes));
  const Root& root = root_->body;
  Document<Snapshot> offered = MW_TRY_IN(title("snapshot", stated.version), parse<Snapshot>(bytes));
  MW_CHECK_OK(check_threshold(title("snapshot", stated.version), offered.signed_text, offered.signatures, root.keys,
                              root.roles.at("snapshot")));
  MW_CHECK_OK(check_version("snapshot", stated, offered.body.header));
  if (trusted) {
    for (const auto& [role, before] : trusted->document.body.meta) {
      const auto now = offered.body.meta.find(role);
      if (now == offered.body.meta.end()) {
        return fail(ErrorCode::kRefused,
                    "rollback: {} does not list role {} any more, which this box trusts in version {}; a role that was "
                    "listed once must stay. Nothing is changed",
                    title("snapshot", stated.version), shown(role), before.version);
      }
      if (now->second.version < before.version) return rollback(shown(role), now->second.version, before.version);
    }
  }
  MW_CHECK_OK(check_fresh("snapshot", offered.body.header));
  MW_CHECK_OK(store_.write(metadata_file("snapshot"), bytes));
  snapshot_ = std::move(offered);
  return {};
}

// Section 5.6, for targets and each delegated role: the version that snapshot states, signed by the keys that are
// given.
Result<Document<Targets>> Client::current_role(const std::string& role_name, const Keys& keys, const RoleKeys& role) {
  const auto listed = snapshot_->body.meta.find(role_name);
  if (listed == snapshot_->body.meta.end()) {
    return fail(ErrorCode::kRefused,
                "mix-and-match: {} does not list role {}, so that nobody says which version of it is the right one. "
                "Publish a snapshot that does",
                title("snapshot", snapshot_->body.header.version), shown(role_name));
  }
  const MetaFile& stated = listed->second;
  const std::string file = metadata_file(role_name);
  const auto signed_by_role = [&](const Document<Targets>& document) {
    return check_threshold(title(role_name, stated.version), document.signed_text, document.signatures, keys, role);
  };
  if (const auto there = store_.read(file, limits_.stated_bytes); there && fits(stated, *there)) {
    auto document = parse<Targets>(*there);
    if (document && document->body.header.version == stated.version && signed_by_role(*document) &&
        check_fresh(role_name, document->body.header)) {
      return document;
    }
  }
  const std::string bytes = MW_TRY(fetch_stated(role_name, stated, limits_.targets_bytes));
  Document<Targets> offered = MW_TRY_IN(title(role_name, stated.version), parse<Targets>(bytes));
  MW_CHECK_OK(signed_by_role(offered));
  MW_CHECK_OK(check_version(role_name, stated, offered.body.header));
  MW_CHECK_OK(check_fresh(role_name, offered.body.header));
  MW_CHECK_OK(store_.write(file, bytes));
  return offered;
}

Versions Client::versions() const {
  const auto of = [](const auto& document) { return document ? document->body.header.version : 0; };
  return {.root = of(root_), .timestamp = of(timestamp_), .snapshot = of(snapshot_), .targets = of(targets_)};
}

template <typename T>
std::optional<Client::Kept<T>> Client::kept(std::string_view role_name) const {
  auto bytes = store_.read(metadata_file(role_name), limits_.stated_bytes);
  if (!bytes || dropped_.holds(*bytes, root_->body.header.version)) return std::nullopt;
  auto document = parse<T>(*bytes);
  if (!document) return std::nullopt;
  const RoleKeys& role = root_->body.roles.find(role_name)->second;
  const size_t signers = keys_that_signed(document->signed_text, document->signatures, root_->body.keys, role);
  if (signers == 0) return std::nullopt;
  return Kept<T>{.document = *std::move(document), .bytes = *std::move(bytes), .full = signers >= role.threshold};
}

Result<std::string> Client::fetch(std::string_view role_name, std::optional<uint64_t> version, uint64_t limit_bytes) {
  std::string path = percent_encoded(role_name) + ".json";
  if (version) path.insert(0, fmt::format("{}.", *version));
  auto bytes = fetcher_.metadata(path, limit_bytes);
  const bool too_large = bytes ? bytes->size() > limit_bytes : bytes.error().code == ErrorCode::kTooLarge;
  if (!too_large) return bytes;
  return fail(ErrorCode::kRefused,
              "endless data: the server's {} is longer than the {} bytes that it may have; reading stopped there", path,
              limit_bytes);
}

Result<std::string> Client::fetch_stated(std::string_view role_name, const MetaFile& stated, uint64_t limit_bytes) {
  const uint64_t limit = stated.length ? std::min(*stated.length, limits_.stated_bytes) : limit_bytes;
  const bool numbered = root_->body.consistent_snapshot;
  std::string bytes = MW_TRY(fetch(role_name, numbered ? std::optional(stated.version) : std::nullopt, limit));
  if (fits(stated, bytes)) return bytes;
  return fail(ErrorCode::kRefused,
              "mix-and-match: the server's {} is not the file that was signed for: its length or hash is another. It "
              "is not used",
              title(role_name, stated.version));
}

Status Client::check_fresh(std::string_view role_name, const Header& header) const {
  if (header.expires_s > start_s_) return {};
  return fail(ErrorCode::kRefused,
              "freeze: {} was valid until {}, it is {} now; somebody keeps newer files from this box, nobody signs any "
              "more, or "
              "the clock is wrong. What is installed goes on, nothing new is installed",
              title(role_name, header.version), format_expiry(header.expires_s), format_expiry(start_s_));
}

}  // namespace millwright::net::tuf
