// SPDX-License-Identifier: Apache-2.0
// A disk in memory that loses power: what was not synced is there sector by sector, by chance. It can also fail.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/random.h"
#include "edge/outbox/block_file.h"

namespace millwright::edge::outbox {

class FakeDisk {
 public:
  static constexpr size_t kSector = 512;

  // Each write, sync and allocation is one operation; at the one with this number the power fails: it is done in part,
  // and everything after it is an error until restore_power().
  std::optional<uint64_t> cut_at;
  std::optional<uint64_t> fail_at;       // only this one fails; a sync that fails forgets what it should have written
  std::pair<size_t, size_t> unreadable;  // bytes from and to which no read gives
  bool full = false;                     // allocations fail
  bool dead = false;
  bool forgets_at_cut = true;  // false: SIGKILL alone, the page cache stays
  uint64_t operations = 0;
  uint64_t syncs = 0;
  uint64_t aside = 0;
  std::vector<std::byte> durable;
  std::vector<std::byte> seen;  // what a reader sees: with the page cache

  OpenBlockFile opener() {
    return [this]() -> Result<std::unique_ptr<BlockFile>> {
      if (dead) return fail(ErrorCode::kIo, "the power is off");
      return std::make_unique<File>(*this);
    };
  }

  // Of what was not synced each sector is there or not.
  void restore_power(Random& random) {
    for (const auto& [from, to] : dirty_) {
      for (size_t at = from / kSector * kSector; at < to; at += kSector) {
        const size_t bytes = std::min(kSector, seen.size() - at);
        if (!forgets_at_cut || random.below(2) == 0) std::memcpy(&durable[at], &seen[at], bytes);
        std::memcpy(&seen[at], &durable[at], bytes);
      }
    }
    dirty_.clear();
    dead = false;
    cut_at.reset();
  }

 private:
  class File final : public BlockFile {
   public:
    explicit File(FakeDisk& disk) : disk_(disk) {}
    [[nodiscard]] uint64_t size() const override { return disk_.seen.size(); }
    Status read(uint64_t offset, std::span<std::byte> bytes) override {
      const std::lock_guard lock(disk_.mutex_);
      if (disk_.dead) return fail(ErrorCode::kIo, "the power is off");
      if (offset + bytes.size() > disk_.seen.size()) return fail(ErrorCode::kCorrupt, "beyond the end");
      if (offset < disk_.unreadable.second && offset + bytes.size() > disk_.unreadable.first) {
        return fail(ErrorCode::kIo, "the disk cannot read this");
      }
      std::copy_n(disk_.seen.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
      return {};
    }
    Status write(uint64_t offset, std::span<const std::byte> bytes) override {
      const std::lock_guard lock(disk_.mutex_);
      const bool cut = disk_.cuts();
      if (disk_.dead && !cut) return fail(ErrorCode::kIo, "the power is off");
      if (offset + bytes.size() > disk_.seen.size()) return fail(ErrorCode::kIo, "beyond the end");
      const bool fails = !cut && disk_.fails();
      const size_t done = cut || fails ? bytes.size() / 2 : bytes.size();
      std::copy_n(bytes.begin(), done, disk_.seen.begin() + static_cast<std::ptrdiff_t>(offset));
      disk_.dirty_.emplace_back(offset, offset + done);
      if (cut || fails) return fail(ErrorCode::kIo, "the disk says no");
      return {};
    }
    Status sync() override {
      const std::lock_guard lock(disk_.mutex_);
      const bool cut = disk_.cuts();
      if (cut || disk_.dead) return fail(ErrorCode::kIo, "the power is off");
      if (disk_.fails()) {
        disk_.flush(disk_.durable, disk_.seen);  // the pages were dropped
        return fail(ErrorCode::kIo, "the disk says no");
      }
      disk_.flush(disk_.seen, disk_.durable);
      ++disk_.syncs;
      return {};
    }
    Status allocate(uint64_t bytes) override {
      const std::lock_guard lock(disk_.mutex_);
      if (disk_.cuts() || disk_.dead) return fail(ErrorCode::kIo, "the power is off");
      if (disk_.full) return fail(ErrorCode::kIo, "no space left on device");
      disk_.seen.assign(bytes, std::byte{0});
      disk_.durable = disk_.seen;
      return {};
    }
    Status set_aside() override {
      ++disk_.aside;
      disk_.seen.clear();
      disk_.durable.clear();
      return {};
    }

   private:
    FakeDisk& disk_;
  };

  void flush(const std::vector<std::byte>& from, std::vector<std::byte>& to) {
    for (const auto& [begin, end] : dirty_) std::memcpy(&to[begin], &from[begin], end - begin);
    dirty_.clear();
  }
  bool cuts() {
    if (dead) return false;
    if (operations++ != cut_at) return false;
    dead = true;
    return true;
  }
  // After cuts(), which has counted the operation.
  [[nodiscard]] bool fails() const { return fail_at && operations == *fail_at + 1; }

  std::mutex mutex_;
  std::vector<std::pair<size_t, size_t>> dirty_;  // written, not synced
};

}  // namespace millwright::edge::outbox
