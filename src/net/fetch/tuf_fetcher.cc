// SPDX-License-Identifier: Apache-2.0
#include "net/fetch/tuf_fetcher.h"

#include <utility>

namespace millwright::net::fetch {
namespace {

std::string folder(std::string url) {
  if (!url.empty() && !url.ends_with('/')) url.push_back('/');
  return url;
}

}  // namespace

TufFetcher::TufFetcher(HttpOptions options, std::string metadata_url, std::string targets_url)
    : client_(std::move(options)),
      metadata_url_(folder(std::move(metadata_url))),
      targets_url_(folder(std::move(targets_url))) {}

Result<std::string> TufFetcher::metadata(const std::string& path, uint64_t limit_bytes) {
  std::string bytes;
  MW_CHECK_OK(client_.get(metadata_url_ + path, limit_bytes, [&bytes](std::span<const std::byte> piece) -> Status {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return bytes;
}

Status TufFetcher::target(const std::string& path, uint64_t limit_bytes, const Sink& sink) {
  return client_.get(targets_url_ + path, limit_bytes, sink);
}

}  // namespace millwright::net::fetch
