// SPDX-License-Identifier: Apache-2.0
#include "inference/engine_cache.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/files.h"
#include "inference/provider.h"

namespace millwright::inference {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kKeyFile = "key.txt";
constexpr uint64_t kMaxKeyBytes = 64 << 10;

bool is_key(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return name.size() == 32 && std::ranges::all_of(name, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

void remove_oldest(const fs::path& root, const fs::path& keep) {
  struct Kept {
    fs::file_time_type used;
    fs::path folder;
  };
  std::vector<Kept> kept;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    if (!is_key(entry.path()) || entry.path() == keep) continue;
    kept.push_back({fs::last_write_time(entry.path() / kKeyFile, ignored), entry.path()});
  }
  std::ranges::sort(kept, std::ranges::greater(), &Kept::used);
  for (size_t i = kMaxEngineFolders - 1; i < kept.size(); ++i) fs::remove_all(kept[i].folder, ignored);
}

}  // namespace

EngineKey engine_key(const Digest& model, const Rung& rung) {
  EngineKey key;
  key.parts = fmt::format("model {}; {}\n", model.hex(), provider_versions(rung));
  key.name = sha256(key.parts).hex().substr(0, 32);
  return key;
}

Result<fs::path> open_engine_folder(const fs::path& root, const EngineKey& key) {
  fs::path folder = root / key.name;
  std::error_code error;
  const auto text = read_text_file(folder / kKeyFile, kMaxKeyBytes);
  if (!text || *text != key.parts) fs::remove_all(folder, error);
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "cannot make {}: {}", folder.string(), error.message());
  if (!text || *text != key.parts) {
    MW_CHECK_OK(write_file_atomic(folder / kKeyFile, key.parts));
  } else {
    fs::last_write_time(folder / kKeyFile, fs::file_time_type::clock::now(), error);
  }
  remove_oldest(root, folder);
  return folder;
}

bool drop_engines(const fs::path& folder) {
  bool any = false;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename() == kKeyFile) continue;
    any = true;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
  return any;
}

}  // namespace millwright::inference
