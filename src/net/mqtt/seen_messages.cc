// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/seen_messages.h"

#include <iterator>

namespace millwright::net::mqtt {

std::string SeenMessages::key_of(std::string_view device_id, std::string_view boot_id) {
  // Neither id can hold a slash.
  return std::string(device_id).append("/").append(boot_id);
}

bool SeenMessages::covers(const std::map<uint64_t, uint64_t>& runs, uint64_t seq) {
  const auto after = runs.upper_bound(seq);
  return after != runs.begin() && std::prev(after)->second >= seq;
}

bool SeenMessages::contains(std::string_view device_id, std::string_view boot_id, uint64_t seq) const {
  const auto found = by_key_.find(key_of(device_id, boot_id));
  return found != by_key_.end() && covers(found->second->runs, seq);
}

SeenMessages::Source& SeenMessages::touch(std::string key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return *found->second;
  }
  by_use_.push_front({.key = key, .runs = {}});
  by_key_.emplace(std::move(key), by_use_.begin());
  return by_use_.front();
}

void SeenMessages::insert(std::string_view device_id, std::string_view boot_id, uint64_t seq) {
  Source& source = touch(key_of(device_id, boot_id));
  if (covers(source.runs, seq)) return;
  auto after = source.runs.upper_bound(seq);
  const bool joins_after = after != source.runs.end() && seq != UINT64_MAX && after->first == seq + 1;
  const bool joins_before = after != source.runs.begin() && std::prev(after)->second + 1 == seq;
  if (joins_before) {
    const auto before = std::prev(after);
    before->second = joins_after ? after->second : seq;
    if (joins_after) {
      source.runs.erase(after);
      --runs_;
    }
    return;
  }
  const uint64_t last = joins_after ? after->second : seq;
  if (joins_after) {
    source.runs.erase(after);
    --runs_;
  }
  source.runs.emplace(seq, last);
  ++runs_;
  forget_beyond_limit(source);
}

void SeenMessages::forget_beyond_limit(Source& newest) {
  while (runs_ > limit_ && &by_use_.back() != &newest) {
    runs_ -= by_use_.back().runs.size();
    by_key_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
  while (runs_ > limit_) {
    newest.runs.erase(newest.runs.begin());
    --runs_;
  }
}

}  // namespace millwright::net::mqtt
