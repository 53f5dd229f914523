// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace millwright::edge {

// A count that is kept over starts and that a kill may set back by a minute, shown as what this process has added:
// whoever watches a counter takes a fall for a reset, and what it shows then for new.
class RisingTotal {
 public:
  // What was added between the first look and this one.
  uint64_t look(uint64_t total) {
    if (last_ && total > *last_) risen_ += total - *last_;
    last_ = total;
    return risen_;
  }

 private:
  std::optional<uint64_t> last_;
  uint64_t risen_ = 0;
};

}  // namespace millwright::edge
