// SPDX-License-Identifier: Apache-2.0
// Keeps the first windows of an asset that has no model yet, and writes them as a recording to train from.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "edge/config.h"
#include "edge/stroke_loop.h"

namespace millwright::edge {

inline constexpr uint64_t kMaxCollectBytes = 1ULL << 30;

class NpyCollector final : public WindowCollector {
 public:
  // kTooLarge where the windows would take more than kMaxCollectBytes.
  static Result<std::unique_ptr<NpyCollector>> create(const CollectConfig& config, const std::string& asset_id,
                                                      const WindowConfig& window);

  void collect(const signal::Window& window) noexcept override;
  // Any other thread. Writes the file once: when all windows are there, or, with `last`, what there is. The path where
  // it wrote; empty where it had nothing to do.
  Result<std::filesystem::path> write_if_complete(bool last);
  [[nodiscard]] uint64_t collected() const { return count_.load(std::memory_order_acquire); }

 private:
  NpyCollector(const CollectConfig& config, std::string asset_id, const WindowConfig& window);

  CollectConfig config_;
  std::string asset_id_;
  WindowConfig window_;
  std::vector<float> samples_;
  std::atomic<uint64_t> count_{0};
  bool written_ = false;
};

}  // namespace millwright::edge
