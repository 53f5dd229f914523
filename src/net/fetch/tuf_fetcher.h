// SPDX-License-Identifier: Apache-2.0
// A TUF repository behind two addresses: one for its metadata, one for its targets.
#pragma once

#include <string>

#include "net/fetch/http_client.h"
#include "net/tuf/fetcher.h"

namespace millwright::net::fetch {

class TufFetcher final : public tuf::Fetcher {
 public:
  // Addresses with or without a slash at their end; the second may be empty where no target is asked for.
  TufFetcher(HttpOptions options, std::string metadata_url, std::string targets_url);

  Result<std::string> metadata(const std::string& path, uint64_t limit_bytes) override;
  Status target(const std::string& path, uint64_t limit_bytes, const Sink& sink) override;

 private:
  HttpClient client_;
  std::string metadata_url_;
  std::string targets_url_;
};

}  // namespace millwright::net::fetch
