// SPDX-License-Identifier: Apache-2.0
// Recovery from fast-forward (specification 5.3.11): which kept files of timestamp and snapshot are not trusted any
// more, because a new root took keys from one of both roles.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/tuf/store.h"

namespace millwright::net::tuf {

class Dropped {
 public:
  // An unreadable record is none: it can only make what is kept trusted again, which is the safe side against rollback.
  static Dropped read(TrustedStore& store);
  // Records the bytes that are kept now, durably. Counts from root `root_version` on: it is written before that root
  // is.
  Status record(TrustedStore& store, uint64_t root_version);
  [[nodiscard]] bool holds(std::string_view bytes, uint64_t root_version) const;

 private:
  struct Entry {
    uint64_t root_version = 0;
    std::string sha256;
  };
  std::vector<Entry> entries_;
};

}  // namespace millwright::net::tuf
