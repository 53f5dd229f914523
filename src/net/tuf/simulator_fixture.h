// SPDX-License-Identifier: Apache-2.0
// A repository with real keys, a server in memory that an attacker may own, and a box that asks it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "net/tuf/client.h"
#include "net/tuf/download.h"
#include "net/tuf/repository.h"

namespace millwright::net::tuf {

inline constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15

// Serves what is in its maps, and notes what it was asked.
class MemoryServer final : public Fetcher {
 public:
  std::map<std::string, std::string>* files = nullptr;
  std::map<std::string, std::string> targets;
  std::vector<std::string> asked;
  std::map<std::string, Error> broken;  // by path: what happens instead
  bool keeps_to_limits = true;          // a careless transport gives whatever comes

  Result<std::string> metadata(const std::string& path, uint64_t limit_bytes) override {
    asked.push_back(path);
    if (const auto it = broken.find(path); it != broken.end()) return std::unexpected(it->second);
    const auto it = files->find(path);
    if (it == files->end()) return fail(ErrorCode::kNotFound, "404 {}", path);
    if (keeps_to_limits && it->second.size() > limit_bytes) return fail(ErrorCode::kTooLarge, "too large");
    return it->second;
  }
  Status target(const std::string& path, uint64_t, const Sink& sink) override {
    asked.push_back(path);
    const auto it = targets.find(path);
    if (it == targets.end()) return fail(ErrorCode::kNotFound, "404 {}", path);
    // In pieces, as from a network.
    for (size_t at = 0; at < it->second.size(); at += 3) {
      MW_CHECK_OK(sink(std::as_bytes(std::span(std::string_view(it->second).substr(at, 3)))));
    }
    return {};
  }
};

class Simulator : public ::testing::Test {
 protected:
  explicit Simulator(RepositoryOptions options = {}) : repository(options) {
    server.files = &repository.files();
    for (const char* role : {"root", "timestamp", "snapshot", "targets"}) repository.set_keys(role, new_keys(1), 1);
    repository.publish_all(kNow);
    const Status trusted = Client::init(store, repository.files().at("1.root.json"));
    EXPECT_TRUE(trusted.has_value()) << trusted.error().message;
  }

  static std::vector<SigningKey> new_keys(size_t count, KeyKind kind = KeyKind::kEd25519) {
    std::vector<SigningKey> keys;
    for (size_t i = 0; i < count; ++i) keys.push_back(SigningKey::generate(kind));
    return keys;
  }
  // A process of its own each time: only what is in the folder is remembered.
  Status refresh(int64_t now_s = kNow) {
    server.asked.clear();
    return Client(store, server, limits).refresh(now_s);
  }
  void expect_good(int64_t now_s = kNow) {
    const Status status = refresh(now_s);
    EXPECT_TRUE(status.has_value()) << status.error().message;
  }
  // Refused, in these words; an attack, unless another code is named.
  void expect_refused(const std::string& words, ErrorCode code = ErrorCode::kRefused, int64_t now_s = kNow) {
    const Status status = refresh(now_s);
    ASSERT_FALSE(status.has_value()) << "accepted, not refused as " << words;
    EXPECT_EQ(status.error().code, code) << status.error().message;
    EXPECT_THAT(status.error().message, ::testing::HasSubstr(words));
    EXPECT_THAT(status.error().message, ::testing::Not(::testing::HasSubstr("\n")));
  }
  Result<TrustedTarget> find(std::string_view target, int64_t now_s = kNow) {
    Client client(store, server, limits);
    MW_CHECK_OK(client.refresh(now_s));
    server.asked.clear();
    return client.find(target);
  }
  // The version that the box trusts across restarts; 0 where there is none.
  template <typename T>
  uint64_t trusted(const std::string& role) {
    const auto bytes = store.read(metadata_file(role), 1 << 24);
    return bytes ? parse<T>(*bytes)->body.header.version : 0;
  }
  std::vector<uint64_t> trusted_versions() {
    return {trusted<Root>("root"), trusted<Timestamp>("timestamp"), trusted<Snapshot>("snapshot"),
            trusted<Targets>("targets")};
  }
  // A bundle in a role, published; the server has its bytes.
  void offer(const std::string& name, const std::string& bytes, const std::string& role = "targets") {
    repository.add_target(role, name, bytes);
    const size_t slash = name.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    server.targets[name.substr(0, base) + hashes_of(bytes).sha256 + "." + name.substr(base)] = bytes;
    server.targets[name] = bytes;
  }

  TemporaryFolder folder;
  FolderStore store{folder.path()};
  Repository repository;
  MemoryServer server;
  Limits limits;
};

}  // namespace millwright::net::tuf
