// SPDX-License-Identifier: Apache-2.0
// What is refused before anything is sent. Transfers themselves are tried by tests/e2e/tuf_test.py, over a real server.
#include "net/fetch/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/free_port.h"

namespace millwright::net::fetch {
namespace {

using ::testing::HasSubstr;

Status get(const std::string& url, HttpOptions options = {}) {
  options.connect_timeout_ms = 2'000;
  return HttpClient(options).get(url, 100, [](std::span<const std::byte>) -> Status { return {}; });
}

TEST(HttpClient, KnowsThisMachine) {
  for (const char* url : {"http://127.0.0.1/", "http://127.1.2.3:80/x", "http://localhost:9/", "http://[::1]:80/"}) {
    EXPECT_TRUE(is_loopback(url)) << url;
  }
  for (const char* url : {"http://127.0.0.1.example/", "http://10.0.0.1/", "http://localhost.example/", "http://[::2]/",
                          "http://user@127.0.0.1/", "nonsense", "", "http://127.0.0.1@evil.example/"}) {
    EXPECT_FALSE(is_loopback(url)) << url;
  }
}

TEST(HttpClient, SendsNothingInTheClearElsewhere) {
  const Status plain = get("http://192.0.2.1/timestamp.json");
  EXPECT_EQ(plain.error().code, ErrorCode::kRefused);
  EXPECT_THAT(plain.error().message, HasSubstr("this machine only; use https"));
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/x", "", "127.0.0.1", "https://user:word@127.0.0.1/"}) {
    const Status status = get(url);
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidInput) << url << ": " << status.error().message;
  }
}

TEST(HttpClient, NobodyThereMayComeBack) {
  const Status status = get(fmt::format("http://127.0.0.1:{}/x", *free_port()));
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable) << status.error().message;
}

}  // namespace
}  // namespace millwright::net::fetch
