// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/dropped.h"

#include <algorithm>

#include "base/digest.h"
#include "base/numbers.h"

namespace millwright::net::tuf {
namespace {

constexpr const char* kFile = "dropped";
constexpr size_t kMaxEntries = 16;  // of the last rotations; a kept file is replaced soon after
constexpr uint64_t kLimitBytes = 1 << 26;

}  // namespace

Dropped Dropped::read(TrustedStore& store) {
  Dropped dropped;
  const auto text = store.read(kFile, kMaxEntries * 100);
  if (!text) return dropped;
  std::string_view rest = *text;
  while (!rest.empty() && dropped.entries_.size() < kMaxEntries) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const auto version = parse_int(line.substr(0, space));
    if (!version || *version < 1) continue;
    dropped.entries_.push_back({static_cast<uint64_t>(*version), std::string(line.substr(space + 1))});
  }
  return dropped;
}

Status Dropped::record(TrustedStore& store, uint64_t root_version) {
  for (const char* role : {"timestamp", "snapshot"}) {
    const auto kept = store.read(metadata_file(role), kLimitBytes);
    if (kept) entries_.insert(entries_.begin(), {root_version, sha256(*kept).hex()});
  }
  if (entries_.size() > kMaxEntries) entries_.resize(kMaxEntries);
  std::string text;
  for (const Entry& entry : entries_) text += fmt::format("{} {}\n", entry.root_version, entry.sha256);
  return store.write(kFile, text);
}

bool Dropped::holds(std::string_view bytes, uint64_t root_version) const {
  const std::string digest = sha256(bytes).hex();
  return std::ranges::any_of(
      entries_, [&](const Entry& entry) { return entry.root_version <= root_version && entry.sha256 == digest; });
}

}  // namespace millwright::net::tuf
