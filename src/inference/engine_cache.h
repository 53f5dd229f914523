// SPDX-License-Identifier: Apache-2.0
// Folders of what a provider builds ahead of time, one per key. An engine of another model, driver, runtime or setting
// has another key, so that a stale one is never opened.
#pragma once

#include <filesystem>
#include <string>

#include "base/digest.h"
#include "base/error.h"
#include "inference/rung.h"

namespace millwright::inference {

struct EngineKey {
  std::string name;   // 32 hexadecimal digits: the folder
  std::string parts;  // what it was made from, for people
};
EngineKey engine_key(const Digest& model, const Rung& rung);

inline constexpr size_t kMaxEngineFolders = 8;

// The key's folder below `root`, made with a `key.txt` that says what it is for; one whose key.txt says something else
// is emptied first. The folders used longest ago go where there are more than kMaxEngineFolders. kIo.
Result<std::filesystem::path> open_engine_folder(const std::filesystem::path& root, const EngineKey& key);

// Throws away what the provider has kept there: it failed on it. True: something was there.
bool drop_engines(const std::filesystem::path& folder);

}  // namespace millwright::inference
