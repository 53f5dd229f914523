// SPDX-License-Identifier: Apache-2.0
// The bundles of one asset that came by update, each under its own SHA-256; what is not whole yet has another ending.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "base/digest.h"
#include "base/error.h"

namespace millwright::edge {

// The largest bundle that is taken, as the agent reads them.
inline constexpr uint64_t kMostBundleBytes = 1ULL << 30;
// What an update leaves free for records and alerts.
inline constexpr uint64_t kFreeAfterUpdateBytes = 256ULL << 20;

// One thread at a time.
class ModelStore {
 public:
  // Bytes that whoever is not root may still write beside `path`; a test says its own.
  using FreeBytes = std::function<Result<uint64_t>(const std::filesystem::path&)>;
  explicit ModelStore(std::filesystem::path folder, FreeBytes free_bytes = disk_free_bytes);

  // <folder>/<64 hexadecimal digits>.bundle, and .part while it comes.
  [[nodiscard]] std::filesystem::path bundle(const Digest& digest) const;
  [[nodiscard]] std::filesystem::path part(const Digest& digest) const;
  [[nodiscard]] bool has(const Digest& digest) const;

  // Makes the folder, and asks whether `bytes` fit beside what must stay free; what of them is here already counts.
  // kTooLarge names the shortage.
  [[nodiscard]] Status prepare(const Digest& digest, uint64_t bytes) const;
  // The part is whole: its length and digest decide. Then it is synced and gets its name; kCorrupt: it is not what was
  // signed, and is gone. Reads the file once.
  Status accept(const Digest& digest, uint64_t bytes) const;
  // The same for a file from elsewhere, an USB stick, which is copied.
  Status take_in(const std::filesystem::path& file, const Digest& digest, uint64_t bytes) const;
  // Removes all but these and their parts; how many files went. What cannot be removed stays for the next time.
  size_t keep_only(std::span<const Digest> digests) const;

  static Result<uint64_t> disk_free_bytes(const std::filesystem::path& folder);

 private:
  std::filesystem::path folder_;
  FreeBytes free_bytes_;
};

}  // namespace millwright::edge
