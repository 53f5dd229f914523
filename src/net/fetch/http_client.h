// SPDX-License-Identifier: Apache-2.0
// Files of a server, by HTTPS with its certificate checked. The only room that knows libcurl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::net::fetch {

struct HttpOptions {
  std::filesystem::path ca_file;           // PEM; empty: the system's
  std::filesystem::path certificate_file;  // PEM, ours; empty: none
  std::filesystem::path key_file;          // PEM, ours
  // HTTP without TLS to any host. Without it, it goes to this machine only (127.0.0.0/8, ::1, localhost).
  bool allow_http = false;
  int connect_timeout_ms = 10'000;
  // Slower than this over that time is given up: a server that feeds us by drops.
  int least_bytes_per_s = 1'000;
  int slow_for_s = 30;
};

// One connection, kept open between requests; not safe from two threads at once. Redirects are not followed: where a
// file lies is said by the configuration, not by a server.
class HttpClient {
 public:
  using Sink = std::function<Status(std::span<const std::byte>)>;

  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  // The body of a 200. kNotFound for 403, 404 and 410 (stores without a listing answer 403 for what is not there),
  // kTooLarge as soon as there are more than `limit_bytes` (by its header or by count), kRefused for a scheme that is
  // not allowed and for a certificate that does not hold, kTimedOut, kUnavailable; the sink's own error where it ends
  // the transfer.
  Status get(const std::string& url, uint64_t limit_bytes, const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether HTTP without TLS stays on this machine for this URL.
bool is_loopback(std::string_view url);

}  // namespace millwright::net::fetch
