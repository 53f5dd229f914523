// SPDX-License-Identifier: Apache-2.0
// A target's bytes into a folder: verified before they have their name there (specification 5.7).
#pragma once

#include <filesystem>

#include "base/error.h"
#include "net/tuf/client.h"

namespace millwright::net::tuf {

struct Download {
  std::filesystem::path path;
  bool was_there = false;  // with the right bytes; nothing was fetched
};

// The file is called as the target, percent-encoded. It is durable when this returns; on an error the one before it
// stands untouched and nothing else is left. kRefused ("wrong software", "endless data") where the bytes are not what
// was signed for.
Result<Download> download(const TrustedTarget& target, Fetcher& fetcher, const std::filesystem::path& folder);

}  // namespace millwright::net::tuf
