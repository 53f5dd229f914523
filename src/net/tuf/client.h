// SPDX-License-Identifier: Apache-2.0
// The client's workflow (TUF specification 1.0.x, section 5): from a root that came with the box to the length and
// hashes of a target that its owners signed. Every accepted file is durable before the next one is asked for, so that a
// cut at any instant leaves a state that the next update goes on from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/tuf/dropped.h"
#include "net/tuf/fetcher.h"
#include "net/tuf/metadata.h"
#include "net/tuf/store.h"

namespace millwright::net::tuf {

// Where the metadata does not say how long a file is, and how far a stranger can lead us on.
struct Limits {
  uint64_t root_bytes = 512'000;
  uint64_t timestamp_bytes = 16'384;
  uint64_t snapshot_bytes = 2'000'000;
  uint64_t targets_bytes = 5'000'000;
  uint64_t stated_bytes = 64'000'000;  // beyond which a stated length of metadata is not believed
  int root_rotations = 256;            // in one update; the next one goes on
  int delegated_roles = 32;            // asked for one target
};

struct TrustedTarget {
  std::string name;
  TargetFile file;
  std::string role;  // which signed it
  std::string
      remote_path;  // percent-encoded, with the hash in its name where the repository's snapshots are consistent
};

struct Versions {
  uint64_t root = 0;
  uint64_t timestamp = 0;
  uint64_t snapshot = 0;
  uint64_t targets = 0;
};

// Errors: kRefused names the attack first ("rollback: ...") and means that nothing of what was offered is used; what
// was trusted before still is. Others are of the Fetcher or the store. Not safe from two threads at once.
class Client {
 public:
  Client(TrustedStore& store, Fetcher& fetcher, Limits limits = {});

  // Trusts a root that came by another way than the network. It must be signed by its own keys, may have expired, and
  // is kept as it is. A store that has a root already keeps it: kRefused unless it is the same, byte for byte.
  static Status init(TrustedStore& store, std::string_view root_bytes);

  // Sections 5.1 to 5.6: brings root, timestamp, snapshot and targets up to date. `start_s`, seconds since 1970 UTC, is
  // the time against which everything is held until the next refresh().
  Status refresh(int64_t start_s);

  // Section 5.6.7: looks for the target through the delegations, in pre-order depth-first; fetches the roles that it
  // needs. kNotFound where no role that may speak of the target knows it. Only after a refresh() without error.
  Result<TrustedTarget> find(std::string_view target);

  // Of the last refresh(), as far as it came.
  [[nodiscard]] Versions versions() const;

 private:
  template <typename T>
  struct Kept;
  struct Visit;

  Status load_root();
  Status update_root();
  Status accept_root(const std::string& bytes);
  Status update_timestamp();
  Status update_snapshot();
  Result<Document<Targets>> current_role(const std::string& role_name, const Keys& keys, const RoleKeys& role);

  template <typename T>
  std::optional<Kept<T>> kept(std::string_view role_name) const;
  Result<std::string> fetch(std::string_view role_name, std::optional<uint64_t> version, uint64_t limit_bytes);
  Result<std::string> fetch_stated(std::string_view role_name, const MetaFile& stated, uint64_t limit_bytes);
  Status check_fresh(std::string_view role_name, const Header& header) const;
  [[nodiscard]] std::string remote_path(std::string_view target, const TargetFile& file) const;

  TrustedStore& store_;
  Fetcher& fetcher_;
  Limits limits_;
  int64_t start_s_ = 0;
  Dropped dropped_;
  std::optional<Document<Root>> root_;
  std::optional<Document<Timestamp>> timestamp_;
  std::optional<Document<Snapshot>> snapshot_;
  std::optional<Document<Targets>> targets_;
};

}  // namespace millwright::net::tuf
