// SPDX-License-Identifier: Apache-2.0
// Which windows are kept, on a thread of its own: what waits for a disk here keeps no stroke waiting.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "edge/config.h"
#include "edge/windows/window_ring.h"
#include "edge/windows/window_store.h"

namespace millwright::edge {

// A die that is worn makes every stroke an alert: after so many in a row, one in kThinned is kept.
inline constexpr uint64_t kAlertsInARow = 20;
inline constexpr uint64_t kThinned = 10;

class WindowKeeper {
 public:
  using Look = std::function<void(std::span<const float>)>;
  // `ring` must outlive it. Without a store nothing is kept. `look` sees every window, on the keeper's thread.
  WindowKeeper(WindowRing& ring, std::unique_ptr<WindowStore> store, const WindowsConfig& config, Look look);
  ~WindowKeeper();
  WindowKeeper(const WindowKeeper&) = delete;
  WindowKeeper& operator=(const WindowKeeper&) = delete;

  void start();
  // Any thread but the stroke's: windows may wait.
  void notify();
  // Takes what waits and ends the thread.
  void finish();

  // One round, on the calling thread; the thread must not run.
  void drain();

  [[nodiscard]] WindowStore* store() const { return store_.get(); }

 private:
  struct Recent {
    model::StrokeRecord record;
    std::vector<float> samples;
  };
  void take(const model::StrokeRecord& record, std::span<const float> samples);
  void remember(const model::StrokeRecord& record, std::span<const float> samples);
  void keep(const model::StrokeRecord& record, std::span<const float> samples, KeptFor why);

  WindowRing& ring_;
  const std::unique_ptr<WindowStore> store_;
  const WindowsConfig config_;
  const Look look_;
  std::vector<Recent> recent_;  // at most `around`, oldest first
  uint64_t after_ = 0;          // neighbours still to come
  uint64_t alerts_in_a_row_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool notified_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millwright::edge
