// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/layout.h"

#include <bit>
#include <cstring>

#include "edge/outbox/crc32c.h"

namespace millwright::edge {

std::string_view name(Stream stream) {
  constexpr std::array<std::string_view, kStreams> kNames = {"alerts", "scores", "features", "health", "windows"};
  return kNames[static_cast<size_t>(stream)];
}

std::string_view name(DropReason reason) {
  constexpr std::array<std::string_view, kDropReasons> kNames = {"full", "expired", "refused", "corrupt"};
  return kNames[static_cast<size_t>(reason)];
}

namespace outbox {
namespace {

constexpr uint64_t kMostCounted = 1ULL << 62;  // bytes of a ring, sequences, nanoseconds

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

constexpr std::string_view kMagic = "MWOUTBX1";
constexpr size_t kCrcAt = kMagic.size();
constexpr size_t kLengthAt = kCrcAt + sizeof(uint32_t);
constexpr size_t kBodyAt = kLengthAt + sizeof(uint32_t);

template <typename T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <typename T>
  bool take(T& value) {
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  bool text(size_t length, std::string& value) {
    if (rest_.size() < length) return false;
    value.assign(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length);
    return true;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

bool take_rings(Reader& reader, Checkpoint& checkpoint) {
  for (RingMark& ring : checkpoint.rings) {
    if (!reader.take(ring)) return false;
  }
  return true;
}

bool take_tables(Reader& reader, Checkpoint& checkpoint) {
  uint32_t boots = 0;
  uint32_t assets = 0;
  if (!reader.take(boots) || boots > kMaxBoots) return false;
  for (uint32_t i = 0; i < boots; ++i) {
    if (!reader.take(checkpoint.boots.emplace_back())) return false;
    if (i > 0 && checkpoint.boots[i].first_sequence < checkpoint.boots[i - 1].first_sequence) return false;
  }
  if (!reader.take(assets) || assets > kMaxAssets) return false;
  for (uint32_t i = 0; i < assets; ++i) {
    AssetMark& asset = checkpoint.assets.emplace_back();
    uint8_t length = 0;
    if (!reader.take(length) || length > kMaxAssetName || !reader.text(length, asset.name)) return false;
    if (!reader.take(asset.strokes)) return false;
  }
  return true;
}

// Rings lie behind one another and fill the file; no position is beyond what a counter can honestly reach.
bool plausible(const Checkpoint& checkpoint, uint64_t file_bytes) {
  uint64_t begin = kRingsAt;
  for (const RingMark& ring : checkpoint.rings) {
    if (ring.begin != begin || ring.bytes < kMinRingBytes || ring.bytes > kMaxRingBytes) return false;
    if (ring.bytes % kAlignment != 0 || ring.tail % kAlignment != 0 || ring.head % kAlignment != 0) return false;
    if (ring.tail > ring.head || ring.head > kMostCounted || ring.head - ring.tail > ring.bytes) return false;
    begin += ring.bytes;
  }
  return begin == file_bytes && checkpoint.next_sequence >= 1 && checkpoint.next_sequence < kMostCounted &&
         checkpoint.observed_ns < kMostCounted && !checkpoint.boots.empty();
}

}  // namespace

std::string text_of(const BootId& id) {
  std::string text;
  for (size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", id[i]);
  }
  return text;
}

void seal(std::span<std::byte> record, uint32_t seed) {
  const uint32_t crc = crc32c(record.subspan(sizeof(uint32_t)), seed);
  std::memcpy(record.data(), &crc, sizeof(crc));
}

bool read_record(std::span<const std::byte> bytes, uint32_t seed, uint64_t position, RecordHead& head) {
  if (bytes.size() < sizeof(RecordHead)) return false;
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (head.position != position || head.stored_bytes > kMaxPayloadBytes || head.model > kTemplates) return false;
  // A number that no counter reaches honestly would leave none above it for the next message.
  if (head.sequence > kMostCounted) return false;
  if (head.bytes() > bytes.size() || head.batch_index >= head.batch_count || head.batch_index >= head.sequence) {
    return false;
  }
  return crc32c(bytes.subspan(sizeof(uint32_t), head.bytes() - sizeof(uint32_t)), seed) == head.crc;
}

std::string encode(const Checkpoint& checkpoint) {
  std::string body;
  put(body, kVersion);
  put(body, checkpoint.store);
  put(body, checkpoint.generation);
  put(body, checkpoint.next_sequence);
  put(body, checkpoint.observed_ns);
  for (const RingMark& ring : checkpoint.rings) put(body, ring);
  put(body, static_cast<uint32_t>(checkpoint.boots.size()));
  for (const BootMark& boot : checkpoint.boots) put(body, boot);
  put(body, static_cast<uint32_t>(checkpoint.assets.size()));
  for (const AssetMark& asset : checkpoint.assets) {
    put(body, static_cast<uint8_t>(asset.name.size()));
    body += asset.name;
    put(body, asset.strokes);
  }
  std::string bytes(kMagic);
  put(bytes, crc32c(std::as_bytes(std::span(body))));
  put(bytes, static_cast<uint32_t>(body.size()));
  return bytes + body;
}

Result<Checkpoint> decode_checkpoint(std::span<const std::byte> bytes, uint64_t file_bytes) {
  const auto broken = [](std::string_view why) {
    return fail(ErrorCode::kCorrupt, "a checkpoint of the outbox {}", why);
  };
  if (bytes.size() < kBodyAt || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) return broken("is none");
  uint32_t crc = 0;
  uint32_t length = 0;
  std::memcpy(&crc, bytes.data() + kCrcAt, sizeof(crc));
  std::memcpy(&length, bytes.data() + kLengthAt, sizeof(length));
  if (length > bytes.size() - kBodyAt) return broken("is cut off");
  const auto body = bytes.subspan(kBodyAt, length);
  if (crc32c(body) != crc) return broken("fails its checksum");
  Reader reader(body);
  Checkpoint checkpoint;
  uint32_t version = 0;
  if (!reader.take(version) || version != kVersion) return broken(fmt::format("has version {}", version));
  if (!reader.take(checkpoint.store) || !reader.take(checkpoint.generation) || !reader.take(checkpoint.next_sequence) ||
      !reader.take(checkpoint.observed_ns) || !take_rings(reader, checkpoint) || !take_tables(reader, checkpoint) ||
      !reader.empty() || !plausible(checkpoint, file_bytes)) {
    return broken("says what cannot be");
  }
  return checkpoint;
}

std::string encode(const Template& model, uint32_t seed) {
  std::string body;
  put(body, model.crc);
  put(body, model.asset);
  put(body, static_cast<uint16_t>(model.text.size()));
  body += model.text;
  std::string bytes;
  put(bytes, crc32c(std::as_bytes(std::span(body)), seed));
  return bytes + body;
}

Result<Template> decode_template(std::span<const std::byte> bytes, uint32_t seed) {
  const auto broken = [] { return fail(ErrorCode::kCorrupt, "a template of the outbox fails its checksum"); };
  Reader reader(bytes);
  Template model;
  uint32_t crc = 0;
  uint16_t length = 0;
  if (!reader.take(crc) || !reader.take(model.crc) || !reader.take(model.asset) || !reader.take(length))
    return broken();
  if (model.asset >= kMaxAssets || length > kMaxTemplateText || !reader.text(length, model.text)) return broken();
  const size_t body = sizeof(model.crc) + sizeof(model.asset) + sizeof(length) + length;
  if (crc32c(bytes.subspan(sizeof(crc), body), seed) != crc) return broken();
  if (crc32c(std::as_bytes(std::span(model.text))) != model.crc) return broken();
  return model;
}

}  // namespace outbox
}  // namespace millwright::edge
