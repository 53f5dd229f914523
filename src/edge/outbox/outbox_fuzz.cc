// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "edge/outbox/crc32c.h"
#include "edge/outbox/outbox.h"

// Whatever stands in the file, a start finds what it can, hands out no message that was never given, and the store
// works afterwards. The first byte says how the rest is used: 0: as the whole file; 1: as changes to a good one; 2: as
// the body of its newest checkpoint, with a checksum that fits; 3: as changes to its records, sealed again; 4: the same
// for templates.
namespace millwright::edge {
namespace {

enum Mode : uint8_t { kFile, kChanges, kCheckpoint, kRecords, kTemplates, kModes };
constexpr uint64_t kRing = 8192;
constexpr size_t kMessages = 24;
constexpr size_t kMostRead = 4096;

class Memory final : public outbox::BlockFile {
 public:
  explicit Memory(std::vector<std::byte>& bytes) : bytes_(bytes) {}
  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }
  Status read(uint64_t offset, std::span<std::byte> to) override {
    if (!fits(offset, to.size())) return fail(ErrorCode::kCorrupt, "beyond the end");
    if (!to.empty()) std::memcpy(to.data(), bytes_.data() + offset, to.size());
    return {};
  }
  Status write(uint64_t offset, std::span<const std::byte> from) override {
    if (!fits(offset, from.size())) return fail(ErrorCode::kIo, "beyond the end");
    if (!from.empty()) std::memcpy(bytes_.data() + offset, from.data(), from.size());
    return {};
  }
  Status sync() override { return {}; }
  Status allocate(uint64_t bytes) override {
    // What a start makes of a file is of the size that the options say.
    if (bytes > outbox::kRingsAt + kStreams * kRing) __builtin_trap();
    bytes_.assign(bytes, std::byte{0});
    return {};
  }
  Status set_aside() override {
    bytes_.clear();
    return {};
  }

 private:
  [[nodiscard]] bool fits(uint64_t offset, uint64_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  std::vector<std::byte>& bytes_;
};

OutboxOptions options(std::vector<std::byte>& bytes) {
  OutboxOptions options;
  for (StreamOptions& stream : options.streams) stream.bytes = kRing;
  options.open_file = [&bytes]() -> Result<std::unique_ptr<outbox::BlockFile>> {
    return std::make_unique<Memory>(bytes);
  };
  return options;
}

std::string payload(uint64_t stroke) {
  return fmt::format(R"({{"asset_id":"press","stroke_id":{},"anomaly_score":0.{:04},"verdict":"GO"}})", stroke,
                     stroke * 37 % 10'000);
}

// A store with messages of all streams, some taken, over two starts.
struct Good {
  std::vector<std::byte> bytes;
  std::set<std::string> payloads;
  uint32_t store = 0;
  std::vector<size_t> records;

  Good() {
    const FakeClock clock;
    for (int start = 0; start < 2; ++start) {
      Outbox outbox(options(bytes), clock);
      if (!outbox.open()) __builtin_trap();
      for (uint64_t i = 1; i <= kMessages; ++i) {
        const uint64_t stroke = start * kMessages + i;
        const std::string text = payload(stroke);
        const Message one{.stream = static_cast<Stream>(i % kStreams),
                          .asset = i % 3 == 0 ? "press-2" : "press-1",
                          .stroke_id = stroke,
                          .payload = text};
        if (!outbox.append(std::span(&one, 1))) __builtin_trap();
        payloads.insert(text);
      }
      const auto first = outbox.read(Stream::kScores, 0, 1);
      if (!first || first->empty()) __builtin_trap();
      (void)outbox.acknowledge(first->front().boot_id, std::span(&first->front().sequence, 1));
    }
    payloads.insert("afterwards");
    constexpr size_t kStoreAt = 8 + 4 + 4 + 4;
    std::memcpy(&store, bytes.data() + kStoreAt, sizeof(store));
    for (size_t at = outbox::kRingsAt; at + sizeof(outbox::RecordHead) <= bytes.size(); at += outbox::kAlignment) {
      outbox::RecordHead head;
      const uint64_t position = (at - outbox::kRingsAt) % kRing;
      if (read_record(std::span(bytes).subspan(at), store, position, head)) records.push_back(at);
    }
  }
};

template <typename T>
T take(std::span<const uint8_t>& data) {
  T value{};
  const size_t count = std::min(sizeof(T), data.size());
  std::memcpy(&value, data.data(), count);
  data = data.subspan(count);
  return value;
}

// Each change is a place, a length and as many bytes.
void change(std::span<std::byte> bytes, std::span<const uint8_t>& data) {
  const size_t at = take<uint32_t>(data) % bytes.size();
  const size_t count = std::min({size_t{take<uint8_t>(data)}, data.size(), bytes.size() - at});
  if (count > 0) std::memcpy(bytes.data() + at, data.data(), count);
  data = data.subspan(count);
}

void put_checkpoint(std::vector<std::byte>& bytes, std::span<const uint8_t> body) {
  constexpr size_t kHead = 8 + 4 + 4;
  const auto length = static_cast<uint32_t>(std::min<size_t>(body.size(), outbox::kCheckpointBytes - kHead));
  if (length == 0) return;
  // Both copies, so that it is the newest of them.
  for (const size_t at : {size_t{0}, size_t{outbox::kCheckpointBytes}}) {
    std::memcpy(bytes.data() + at + kHead, body.data(), length);
    const uint32_t crc = outbox::crc32c(std::span(bytes).subspan(at + kHead, length));
    std::memcpy(bytes.data() + at, "MWOUTBX1", 8);
    std::memcpy(bytes.data() + at + 8, &crc, sizeof(crc));
    std::memcpy(bytes.data() + at + 12, &length, sizeof(length));
  }
}

void change_record(const Good& good, std::vector<std::byte>& bytes, std::span<const uint8_t>& data) {
  const size_t at = good.records[take<uint8_t>(data) % good.records.size()];
  change(std::span(bytes).subspan(at, sizeof(outbox::RecordHead) + 64), data);
  outbox::RecordHead head;
  std::memcpy(&head, bytes.data() + at, sizeof(head));
  if (head.stored_bytes > outbox::kMaxPayloadBytes || head.bytes() > bytes.size() - at) return;
  outbox::seal(std::span(bytes).subspan(at, head.bytes()), good.store);
}

void change_template(const Good& good, std::vector<std::byte>& bytes, std::span<const uint8_t>& data) {
  const size_t at = outbox::kTemplatesAt + take<uint8_t>(data) % (2 * outbox::kTemplates) * outbox::kTemplateBytes;
  const auto place = std::span(bytes).subspan(at, outbox::kTemplateBytes);
  change(place.subspan(4), data);
  uint16_t length = 0;
  std::memcpy(&length, place.data() + 10, sizeof(length));
  if (12U + length > place.size()) return;
  const uint32_t crc = outbox::crc32c(place.subspan(4, 8U + length), good.store);
  std::memcpy(place.data(), &crc, sizeof(crc));
}

std::vector<std::byte> make_file(const Good& good, Mode mode, std::span<const uint8_t> data) {
  if (mode == kFile) {
    const auto raw = std::as_bytes(data);
    return {raw.begin(), raw.end()};
  }
  std::vector<std::byte> bytes = good.bytes;
  if (mode == kCheckpoint) put_checkpoint(bytes, data);
  while (mode != kCheckpoint && !data.empty()) {
    if (mode == kChanges) change(bytes, data);
    if (mode == kRecords) change_record(good, bytes, data);
    if (mode == kTemplates) change_template(good, bytes, data);
  }
  return bytes;
}

void use(std::vector<std::byte>& bytes, const std::set<std::string>* known) {
  const FakeClock clock;
  Outbox outbox(options(bytes), clock);
  if (!outbox.open()) return;
  for (size_t i = 0; i < kStreams; ++i) {
    const auto messages = outbox.read(static_cast<Stream>(i), 0, kMostRead);
    if (!messages) continue;
    uint64_t last = 0;
    for (const StoredMessage& one : *messages) {
      if (one.sequence <= last) __builtin_trap();
      last = one.sequence;
      if (known != nullptr && !known->contains(one.payload)) __builtin_trap();
      if (one.sequence % 2 == 0) (void)outbox.acknowledge(one.boot_id, std::span(&one.sequence, 1));
    }
  }
  const Message one{.stream = Stream::kAlerts, .asset = "press-1", .stroke_id = 1, .payload = "afterwards"};
  (void)outbox.append(std::span(&one, 1));
  (void)outbox.tick();
  (void)outbox.figures();
}

}  // namespace
}  // namespace millwright::edge

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright::edge;
  static const Good good;
  if (size == 0) return 0;
  const auto mode = static_cast<Mode>(data[0] % kModes);
  std::vector<std::byte> bytes = make_file(good, mode, std::span(data + 1, size - 1));
  // What is sealed again is as good as given.
  const auto* known = mode == kChanges ? &good.payloads : nullptr;
  for (int start = 0; start < 2; ++start) use(bytes, known);
  return 0;
}
