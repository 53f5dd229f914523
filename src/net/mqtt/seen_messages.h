// SPDX-License-Identifier: Apache-2.0
// Which messages of which device were seen, in bounded memory. Sequences come nearly in order, with holes that are
// filled later (alerts overtake scores), so that runs of them are kept. Where the bound is reached, the device that was
// silent longest is forgotten: then a repetition looks new, which the store behind it must bear; a new message never
// looks repeated.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace millwright::net::mqtt {

// One thread.
class SeenMessages {
 public:
  // `runs`: how many runs of consecutive sequences all devices together may have; about 100 bytes each.
  explicit SeenMessages(size_t runs) : limit_(runs) {}

  [[nodiscard]] bool contains(std::string_view device_id, std::string_view boot_id, uint64_t seq) const;
  void insert(std::string_view device_id, std::string_view boot_id, uint64_t seq);
  [[nodiscard]] size_t runs() const { return runs_; }

 private:
  struct Source {
    std::string key;
    std::map<uint64_t, uint64_t> runs;  // first -> last, never touching
  };
  static std::string key_of(std::string_view device_id, std::string_view boot_id);
  static bool covers(const std::map<uint64_t, uint64_t>& runs, uint64_t seq);
  Source& touch(std::string key);
  void forget_beyond_limit(Source& newest);

  size_t limit_;
  size_t runs_ = 0;
  std::list<Source> by_use_;  // the latest first
  std::unordered_map<std::string, std::list<Source>::iterator> by_key_;
};

}  // namespace millwright::net::mqtt
