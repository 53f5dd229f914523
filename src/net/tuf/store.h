// SPDX-License-Identifier: Apache-2.0
// What a box trusts, kept across restarts and power cuts. FORMAT.md says which files there are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::net::tuf {

class TrustedStore {
 public:
  virtual ~TrustedStore() = default;
  // kNotFound where the file was never written.
  virtual Result<std::string> read(const std::string& file, uint64_t limit_bytes) = 0;
  // Durable and whole when it returns without error; the file before it, or this one, after a cut.
  virtual Status write(const std::string& file, std::string_view bytes) = 0;
};

// Files of a folder. One process at a time may write there.
class FolderStore final : public TrustedStore {
 public:
  explicit FolderStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::string> read(const std::string& file, uint64_t limit_bytes) override;
  Status write(const std::string& file, std::string_view bytes) override;

 private:
  std::filesystem::path folder_;
};

// The file of a role: its name percent-encoded, with ".json".
std::string metadata_file(std::string_view role_name);

}  // namespace millwright::net::tuf
