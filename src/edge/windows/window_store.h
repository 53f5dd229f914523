// SPDX-License-Identifier: Apache-2.0
// Windows kept for labelling and learning, bounded in bytes: normal ones that nobody has labelled go first, then the
// neighbours of alerts, then alerts, at last what somebody has labelled; of each the oldest. Files only: whoever
// comes with a USB stick can take them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "edge/config.h"
#include "edge/windows/kept_window.h"
#include "model/stroke_record.h"

namespace millwright::edge {

struct WindowStoreFigures {
  uint64_t windows = 0;
  uint64_t bytes = 0;     // as the disk counts them, about
  uint64_t kept = 0;      // since the start
  uint64_t given_up = 0;  // made room, since the start
  uint64_t damaged = 0;   // found at the start, and removed
  uint64_t failures = 0;  // the disk refused
  std::string last_error;
};

class WindowStore {
 public:
  struct Settings {
    std::filesystem::path folder;
    std::string asset_id;
    WindowConfig window;
    uint64_t max_bytes = 0;
    std::filesystem::path labels;  // labels.jsonl of the asset: what was labelled while this store was closed
  };
  // Makes the folder and finds what is there. kIo.
  static Result<std::unique_ptr<WindowStore>> open(Settings settings);

  // Planar samples of the asset's shape. Waits for the disk. On an error nothing of it is left, and it is counted.
  Status keep(const model::StrokeRecord& record, std::span<const float> samples, KeptFor why);
  // What somebody said of a stroke; nothing happens where its window is not here. Waits for the disk.
  Status label(uint64_t stroke_id, std::string_view label);
  [[nodiscard]] bool has(uint64_t stroke_id) const;
  [[nodiscard]] WindowStoreFigures figures() const;

 private:
  // Sorted by who goes first.
  struct Entry {
    bool labelled = false;
    KeptFor why = KeptFor::kNormal;
    uint64_t stroke_id = 0;
    uint64_t bytes = 0;
    auto operator<=>(const Entry& other) const {
      return std::tie(labelled, why, stroke_id) <=> std::tie(other.labelled, other.why, other.stroke_id);
    }
    bool operator==(const Entry& other) const { return (*this <=> other) == 0; }
  };
  explicit WindowStore(Settings settings) : settings_(std::move(settings)) {}
  Status find();
  void take_labels();
  void remove(uint64_t stroke_id);
  Status write(const KeptWindow& facts, std::span<const float> samples);
  Status relabel(uint64_t stroke_id, std::string_view label);
  [[nodiscard]] std::vector<Entry>::const_iterator entry_of(uint64_t stroke_id) const;
  void insert(const Entry& entry);
  Status failed(Status why);

  const Settings settings_;
  mutable std::mutex mutex_;
  // Sorted, in one piece: nodes of their own between samples that come and go would keep the heap from closing up.
  std::vector<Entry> entries_;
  WindowStoreFigures figures_;
};

}  // namespace millwright::edge
