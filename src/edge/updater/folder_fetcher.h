// SPDX-License-Identifier: Apache-2.0
// A repository in folders: a USB stick, a share of the plant. Its files are called as in the server's addresses, not
// percent-encoded; "press7/x.bundle" is a file in a folder. What is there is as hostile as what a server says.
#pragma once

#include <filesystem>

#include "net/tuf/fetcher.h"

namespace millwright::edge {

class FolderFetcher final : public net::tuf::Fetcher {
 public:
  FolderFetcher(std::filesystem::path metadata, std::filesystem::path targets)
      : metadata_(std::move(metadata)), targets_(std::move(targets)) {}

  Result<std::string> metadata(const std::string& path, uint64_t limit_bytes) override;
  Status target(const std::string& path, uint64_t limit_bytes, const Sink& sink) override;

 private:
  std::filesystem::path metadata_;
  std::filesystem::path targets_;
};

}  // namespace millwright::edge
