// SPDX-License-Identifier: Apache-2.0
#include "edge/npy_collector.h"

#include <algorithm>

#include "recording/recording.h"

namespace millwright::edge {

Result<std::unique_ptr<NpyCollector>> NpyCollector::create(const CollectConfig& config, const std::string& asset_id,
                                                           const WindowConfig& window) {
  const uint64_t bytes = config.windows * window.channels * window.length * sizeof(float);
  if (bytes > kMaxCollectBytes) {
    return fail(ErrorCode::kTooLarge, "asset '{}': collect: {} windows take {} bytes of memory, the limit is {}",
                asset_id, config.windows, bytes, kMaxCollectBytes);
  }
  std::error_code error;
  std::filesystem::create_directories(config.folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", config.folder.string(), error.message());
  return std::unique_ptr<NpyCollector>(new NpyCollector(config, asset_id, window));
}

NpyCollector::NpyCollector(const CollectConfig& config, std::string asset_id, const WindowConfig& window)
    : config_(config), asset_id_(std::move(asset_id)), window_(window) {
  samples_.resize(config.windows * window.channels * window.length);
}

void NpyCollector::collect(const signal::Window& window) noexcept {
  const uint64_t count = count_.load(std::memory_order_relaxed);
  if (count == config_.windows) return;
  std::copy(window.samples.begin(), window.samples.end(),
            samples_.begin() + static_cast<ptrdiff_t>(count * window.samples.size()));
  count_.store(count + 1, std::memory_order_release);
}

Result<std::filesystem::path> NpyCollector::write_if_complete(bool last) {
  const uint64_t count = collected();
  if (written_ || count == 0 || (count < config_.windows && !last)) return std::filesystem::path();
  std::filesystem::path path;
  constexpr int kMaxFiles = 1'000'000;
  for (int n = 1; n < kMaxFiles; ++n) {
    path = config_.folder / fmt::format("{}-{:06}.npy", asset_id_, n);
    std::error_code error;
    const bool taken = std::filesystem::exists(path, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot look for it: {}", path.string(), error.message());
    if (!taken) break;
  }
  std::vector<size_t> shape = {count, window_.channels, window_.length};
  if (window_.channels == 1) shape = {count, window_.length};
  const auto samples = std::span<const float>(samples_).first(count * window_.channels * window_.length);
  MW_CHECK_OK(recording::write_npy(path, samples, shape));
  written_ = true;
  return path;
}

}  // namespace millwright::edge
