// SPDX-License-Identifier: Apache-2.0
// Where metadata and targets come from: a server, a USB stick, a test's memory. What comes is hostile until it is
// verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/error.h"

namespace millwright::net::tuf {

class Fetcher {
 public:
  // Takes the next bytes; an error ends the transfer and is its result.
  using Sink = std::function<Status(std::span<const std::byte>)>;

  virtual ~Fetcher() = default;
  // A file of metadata, whole. `path` is percent-encoded already. kNotFound where the server says that there is none,
  // kTooLarge as soon as there are more than `limit_bytes`, anything else where the server cannot be asked.
  virtual Result<std::string> metadata(const std::string& path, uint64_t limit_bytes) = 0;
  // A target's bytes from the first to the last, in pieces; errors as above.
  virtual Status target(const std::string& path, uint64_t limit_bytes, const Sink& sink) = 0;
};

}  // namespace millwright::net::tuf
