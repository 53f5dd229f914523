// SPDX-License-Identifier: Apache-2.0
// How the outbox lies on disk: a checkpoint twice, the templates twice, then one ring per stream. FORMAT.md says why.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millwright::edge {

// In the order in which they are delivered: alerts first.
enum class Stream : uint8_t { kAlerts, kScores, kFeatures, kHealth, kWindows };
inline constexpr size_t kStreams = 5;
std::string_view name(Stream stream);

// Why a message left undelivered.
enum class DropReason : uint8_t { kFull, kExpired, kRefused, kCorrupt };
inline constexpr size_t kDropReasons = 4;
std::string_view name(DropReason reason);

namespace outbox {

inline constexpr uint32_t kVersion = 2;
inline constexpr uint64_t kCheckpointBytes = 64 << 10;
inline constexpr size_t kTemplates = 64;
inline constexpr size_t kTemplateBytes = 2048;
inline constexpr uint64_t kTemplatesAt = 2 * kCheckpointBytes;
inline constexpr uint64_t kRingsAt = kTemplatesAt + 2 * kTemplates * kTemplateBytes;
inline constexpr uint64_t kAlignment = 8;
inline constexpr uint64_t kMinRingBytes = 4096;
inline constexpr uint64_t kMaxRingBytes = 1ULL << 30;
inline constexpr size_t kMaxPayloadBytes = 64 << 10;
inline constexpr size_t kMaxBatchMessages = 4096;
inline constexpr size_t kMaxBatchBytes = 2 << 20;
inline constexpr size_t kMaxAssets = 256;
inline constexpr size_t kMaxAssetName = 64;
inline constexpr size_t kMaxBoots = 256;

using BootId = std::array<uint8_t, 16>;
std::string text_of(const BootId& id);  // "f3489bb7-22d8-424b-a2e6-9e1309aad6fe"

// Before each payload; the host's byte order is the file's (checked where it is read).
struct RecordHead {
  uint32_t crc = 0;           // of what follows, payload included; begins with the store's own number
  uint32_t stored_bytes = 0;  // of the payload as it lies there
  uint64_t position = 0;      // bytes ever written to this ring before it: where it lies, and in which lap
  uint64_t sequence = 0;
  uint64_t stroke_id = 0;
  int64_t wall_ns = 0;
  uint32_t age_s = 0;  // what the store's own clock showed when it came
  uint16_t asset = 0;
  uint16_t model = 0;  // 0: the payload as it is; else 1 + the template that it is a difference from
  uint32_t batch_index = 0;
  uint32_t batch_count = 0;  // a batch is whole or is not there

  [[nodiscard]] uint64_t bytes() const {
    return (sizeof(RecordHead) + stored_bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  [[nodiscard]] uint64_t batch() const { return sequence - batch_index; }
};
static_assert(sizeof(RecordHead) == 56);

// Sets the checksum of a record that lies in `record`, head first.
void seal(std::span<std::byte> record, uint32_t seed);
// The head of a whole record at the front of `bytes` if it is one that was written at `position`.
bool read_record(std::span<const std::byte> bytes, uint32_t seed, uint64_t position, RecordHead& head);

struct RingMark {
  uint64_t begin = 0;  // in the file
  uint64_t bytes = 0;
  uint64_t tail = 0;  // positions; everything before the tail was delivered or dropped
  uint64_t head = 0;
  std::array<uint64_t, kDropReasons> drops{};
  uint64_t delivered = 0;
};

struct BootMark {
  uint64_t first_sequence = 0;
  BootId id{};
};

// The highest stroke ever stored of an asset, per stream: where to go on, even when all was delivered.
struct AssetMark {
  std::string name;
  std::array<uint64_t, kStreams> strokes{};
};

struct Checkpoint {
  uint32_t store = 0;  // drawn when the file is made, so that an older file's records are not taken for ours
  uint64_t generation = 0;
  uint64_t next_sequence = 1;
  uint64_t observed_ns = 0;  // time this store has seen pass
  std::array<RingMark, kStreams> rings;
  std::vector<BootMark> boots;
  std::vector<AssetMark> assets;
};

std::string encode(const Checkpoint& checkpoint);
// kCorrupt where it is none, or says what cannot be in a file of `file_bytes`.
Result<Checkpoint> decode_checkpoint(std::span<const std::byte> bytes, uint64_t file_bytes);

struct Template {
  uint16_t asset = 0;
  uint32_t crc = 0;  // of its text
  std::string text;
};
inline constexpr size_t kMaxTemplateText = kTemplateBytes - 16;
std::string encode(const Template& model, uint32_t seed);
Result<Template> decode_template(std::span<const std::byte> bytes, uint32_t seed);

}  // namespace outbox
}  // namespace millwright::edge
