// SPDX-License-Identifier: Apache-2.0
// The search through the delegations (section 5.6.7): pre-order, depth-first, each role once.
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/tuf/client.h"
#include "net/tuf/names.h"

namespace millwright::net::tuf {

// A role to be asked, and the keys by which the role that named it knows it.
struct Client::Visit {
  std::string role_name;
  std::shared_ptr<const Keys> keys;
  RoleKeys role;
};

Result<TrustedTarget> Client::find(std::string_view target) {
  MW_CHECK(targets_.has_value(), "find() comes after a refresh() without error");
  std::vector<Visit> to_visit;  // the next one last
  std::set<std::string> visited = {"targets"};
  std::string role_name = "targets";
  Targets role = targets_->body;
  while (true) {
    if (const auto found = role.targets.find(target); found != role.targets.end()) {
      return TrustedTarget{.name = std::string(target),
                           .file = found->second,
                           .role = role_name,
                           .remote_path = remote_path(target, found->second)};
    }
    bool terminating = false;
    std::vector<CoveringRole> covering = role.delegations.covering(target, terminating);
    if (terminating) to_visit.clear();
    const auto keys = std::make_shared<const Keys>(std::move(role.delegations.keys));
    for (auto child = covering.rbegin(); child != covering.rend(); ++child) {
      to_visit.push_back({.role_name = std::move(child->name), .keys = keys, .role = std::move(child->keys)});
    }
    while (!to_visit.empty() && visited.contains(to_visit.back().role_name)) to_visit.pop_back();
    if (to_visit.empty()) break;
    if (visited.size() > static_cast<size_t>(limits_.delegated_roles)) {
      return fail(
          ErrorCode::kRefused,
          "endless data: target {} is delegated through more than {} roles; the search stopped there. Delegate it "
          "more directly",
          shown(target), limits_.delegated_roles);
    }
    const Visit visit = std::move(to_visit.back());
    to_visit.pop_back();
    role_name = visit.role_name;
    visited.insert(role_name);
    role = MW_TRY(current_role(role_name, *visit.keys, visit.role)).body;
  }
  return fail(ErrorCode::kNotFound,
              "no role that may speak of target {} knows it; is its name right, was it published?", shown(target));
}

std::string Client::remote_path(std::string_view target, const TargetFile& file) const {
  if (!root_->body.consistent_snapshot) return url_path(target);
  const size_t slash = target.rfind('/');
  const size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  const std::string& hash = file.hashes.sha256.empty() ? file.hashes.sha512 : file.hashes.sha256;
  return fmt::format("{}{}.{}", url_path(target.substr(0, base)), hash, url_path(target.substr(base)));
}

}  // namespace millwright::net::tuf
