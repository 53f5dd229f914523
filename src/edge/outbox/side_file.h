// SPDX-License-Identifier: Apache-2.0
// What is taken out of the store for a person to look at: damaged bytes, messages that nobody wants. Bounded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/error.h"

namespace millwright::edge::outbox {

class SideFile {
 public:
  SideFile(std::filesystem::path path, uint64_t max_bytes) : path_(std::move(path)), max_bytes_(max_bytes) {}
  // Durable when it returns. kTooLarge where the bytes have no room; nothing is written then.
  Status append(std::string_view bytes) const;

 private:
  std::filesystem::path path_;
  uint64_t max_bytes_;
};

}  // namespace millwright::edge::outbox
