// SPDX-License-Identifier: Apache-2.0
// The writing half of the outbox: a batch is planned in memory, written, synced, and only then counts.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "edge/outbox/outbox.h"

namespace millwright::edge {

using outbox::Entry;
using outbox::RecordHead;

namespace {

// Part of each ring that only moving uses: without room no message could be moved to make some.
uint64_t reserve_of(uint64_t ring_bytes) { return ring_bytes / 64 / outbox::kAlignment * outbox::kAlignment; }
// What is made free at once, so that a full ring does not need a checkpoint for every message.
uint64_t chunk_of(uint64_t ring_bytes) { return ring_bytes / 64; }

}  // namespace

std::unexpected<Error> Outbox::close_on(Error error) {
  open_ = false;
  last_error_ = error.message;
  file_.reset();
  return std::unexpected(std::move(error));
}

Status Outbox::check(std::span<const Message> messages) const {
  if (messages.size() > outbox::kMaxBatchMessages) {
    return fail(ErrorCode::kTooLarge, "a batch of {} messages; at most {}", messages.size(), outbox::kMaxBatchMessages);
  }
  std::array<size_t, kStreams> bytes{};
  for (const Message& message : messages) {
    const auto stream = static_cast<size_t>(message.stream);
    bytes[stream] += message.payload.size() + sizeof(RecordHead) + outbox::kAlignment;
    if (message.payload.size() > outbox::kMaxPayloadBytes || message.asset.size() > outbox::kMaxAssetName) {
      return fail(ErrorCode::kTooLarge, "a message of {} bytes for asset '{}'; at most {} bytes, names of {}",
                  message.payload.size(), message.asset, outbox::kMaxPayloadBytes, outbox::kMaxAssetName);
    }
    const size_t most = std::min<size_t>(outbox::kMaxBatchBytes, state_.rings[stream].bytes / 4);
    if (bytes[stream] > most) {
      return fail(ErrorCode::kTooLarge, "more than {} bytes of {} in one batch", most, name(message.stream));
    }
  }
  return {};
}

Result<AppendReport> Outbox::append(std::span<const Message> messages) {
  const std::lock_guard writing(writing_);
  AppendReport report;
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return fail(ErrorCode::kUnavailable, "the outbox is closed: {}", last_error_);
    MW_CHECK_OK(check(messages));
    expire();
    MW_CHECK_OK(plan(messages, report));
    if (planned_.empty()) return report;
    seal_batch();
  }
  // The file stays: only a thread that holds `writing_` closes the store.
  const Status written = write_batch();
  const std::lock_guard lock(mutex_);
  if (!written) return close_on(written.error());
  commit_batch();
  return report;
}

Status Outbox::plan(std::span<const Message> messages, AppendReport& report) {
  planned_.clear();
  for (std::string& bytes : pending_) bytes.clear();
  templates_.begin_batch();
  planned_age_s_ = observed_s();
  for (const Message& message : messages) MW_CHECK_OK(plan_one(message, report));
  report.first_sequence = state_.next_sequence;
  report.stored = planned_.size();
  return {};
}

Status Outbox::plan_one(const Message& message, AppendReport& report) {
  const auto stream = static_cast<size_t>(message.stream);
  const uint16_t asset = MW_TRY(asset_index(message.asset));
  std::string& out = pending_[stream];
  const size_t offset = out.size();
  out.resize(offset + sizeof(RecordHead));
  uint16_t model = 0;
  if (options_.streams[stream].deltas) {
    outbox::Templates::Tails safe{};
    for (size_t i = 0; i < kStreams; ++i) safe[i] = rings_[i].safe_tail;
    auto encoded = templates_.encode(asset, message.payload, safe, out);
    if (encoded.learn) {
      Status learned = templates_.learn(*file_, state_.store, *encoded.learn, asset, message.payload);
      if (learned) learned = file_->sync();
      if (!learned) return close_on(learned.error());
      out.resize(offset + sizeof(RecordHead));
      encoded = templates_.encode(asset, message.payload, safe, out);
    }
    model = encoded.model;
  }
  if (model == 0) out += message.payload;
  RecordHead head;
  head.stored_bytes = static_cast<uint32_t>(out.size() - offset - sizeof(RecordHead));
  head.stroke_id = message.stroke_id;
  head.wall_ns = message.wall_ns;
  head.age_s = planned_age_s_;
  head.asset = asset;
  head.model = model;
  out.resize(offset + head.bytes());
  std::memcpy(out.data() + offset, &head, sizeof(head));
  const uint64_t free_bytes = bytes_[stream].size() - (rings_[stream].head - rings_[stream].safe_tail);
  if (out.size() + reserve_of(bytes_[stream].size()) > free_bytes) {
    if (!MW_TRY(make_room(stream, out.size()))) {
      out.resize(offset);
      ++state_.rings[stream].drops[static_cast<size_t>(DropReason::kFull)];
      ++report.refused;
      return {};
    }
  }
  planned_.push_back(
      {.stream = stream, .offset = offset, .model = model, .asset = asset, .stroke_id = message.stroke_id});
  return {};
}

Result<uint16_t> Outbox::asset_index(std::string_view asset) {
  for (size_t i = state_.assets.size(); i-- > 0;) {
    if (state_.assets[i].name == asset) return static_cast<uint16_t>(i);
  }
  if (state_.assets.size() == outbox::kMaxAssets) {
    return fail(
        ErrorCode::kTooLarge,
        "'{}': more than {} assets in one outbox, those that were renamed or begun anew counted; stop the agent "
        "once nothing waits, and remove {}",
        asset, outbox::kMaxAssets, (options_.folder / "outbox.log").string());
  }
  state_.assets.push_back({.name = std::string(asset), .strokes = {}});
  // A record that names an asset must not be there before its name is.
  MW_CHECK_OK(checkpoint());
  return static_cast<uint16_t>(state_.assets.size() - 1);
}

void Outbox::seal_batch() {
  uint64_t sequence = state_.next_sequence;
  uint32_t index = 0;
  for (const Planned& planned : planned_) {
    std::string& out = pending_[planned.stream];
    RecordHead head;
    std::memcpy(&head, out.data() + planned.offset, sizeof(head));
    head.position = rings_[planned.stream].head + planned.offset;
    head.sequence = sequence++;
    head.batch_index = index++;
    head.batch_count = static_cast<uint32_t>(planned_.size());
    std::memcpy(out.data() + planned.offset, &head, sizeof(head));
    outbox::seal(std::as_writable_bytes(std::span(out)).subspan(planned.offset, head.bytes()), state_.store);
  }
}

Status Outbox::write_batch() {
  for (size_t i = 0; i < kStreams; ++i) {
    if (pending_[i].empty()) continue;
    MW_CHECK_OK(bytes_[i].write(rings_[i].head, std::as_bytes(std::span(pending_[i]))));
  }
  return file_->sync();
}

void Outbox::commit_batch() {
  for (const Planned& planned : planned_) {
    RecordHead head;
    std::memcpy(&head, pending_[planned.stream].data() + planned.offset, sizeof(head));
    outbox::Ring& ring = rings_[planned.stream];
    ring.push({.sequence = head.sequence,
               .position = head.position,
               .age_s = head.age_s,
               .bytes = static_cast<uint32_t>(head.bytes())});
    ring.head = head.position + head.bytes();
    templates_.used(planned.model, static_cast<Stream>(planned.stream), ring.head);
    uint64_t& highest = state_.assets[planned.asset].strokes[planned.stream];
    highest = std::max(highest, planned.stroke_id);
  }
  state_.next_sequence += planned_.size();
  note_rate(pending_[static_cast<size_t>(Stream::kScores)].size());
}

// Whether `needed` bytes behind the head can be written over. First what was delivered is let go, which takes a
// checkpoint; then what waits is moved past what was delivered behind it; then, where the stream allows it, the oldest
// are given up.
Result<bool> Outbox::make_room(size_t stream, uint64_t needed) {
  outbox::Ring& ring = rings_[stream];
  const uint64_t size = bytes_[stream].size();
  const uint64_t wanted = needed + reserve_of(size);
  const uint64_t enough = std::min(wanted + chunk_of(size), size);
  const auto room = [&](uint64_t tail) { return size - (ring.head - tail); };
  while (room(ring.tail()) < wanted) {
    const uint64_t delivered = ring.head - ring.tail() - ring.live_bytes();
    if (delivered >= std::max(enough, size / 8)) {
      MW_CHECK_OK(checkpoint());
      if (MW_TRY(move_first(stream))) continue;
    }
    if (!options_.streams[stream].drop_oldest) return false;
    while (room(ring.tail()) < enough) {
      Entry* oldest = ring.first_lying();
      if (oldest == nullptr) break;
      drop(stream, *oldest, DropReason::kFull);
    }
  }
  if (room(ring.safe_tail) < wanted) MW_CHECK_OK(checkpoint());
  return true;
}

// Writes the messages that lie first once more behind the head, into the reserve, and lets their places go. False: the
// first one is larger than the reserve.
Result<bool> Outbox::move_first(size_t stream) {
  outbox::Ring& ring = rings_[stream];
  MW_CHECK(pending_[stream].size() <= bytes_[stream].size() / 4, "a batch is at most a quarter of its ring");
  // The batch being planned goes behind them: it has no positions yet.
  const uint64_t most =
      std::min(reserve_of(bytes_[stream].size()), bytes_[stream].size() - (ring.head - ring.safe_tail));
  std::string moved;
  std::vector<std::pair<uint64_t, uint64_t>> places;  // sequence, position
  uint64_t lost = 0;
  uint64_t sequence = 0;
  for (const Entry* entry = ring.first_lying(); entry != nullptr; entry = ring.next(sequence + 1)) {
    sequence = entry->sequence;
    if (moved.size() + entry->bytes > most) break;
    std::string record(entry->bytes, '\0');
    RecordHead head;
    const auto bytes = std::as_writable_bytes(std::span(record));
    if (!bytes_[stream].read(entry->position, bytes) || !read_record(bytes, state_.store, entry->position, head)) {
      lost = sequence;
      break;
    }
    head.position = ring.head + moved.size();
    head.batch_index = 0;
    head.batch_count = 1;
    std::memcpy(record.data(), &head, sizeof(head));
    outbox::seal(bytes, state_.store);
    places.emplace_back(sequence, head.position);
    templates_.used(head.model, static_cast<Stream>(stream), head.position + head.bytes());
    moved += record;
  }
  if (Entry* damaged = lost == 0 ? nullptr : ring.find(lost)) {
    quarantine(stream, {.from = damaged->position, .to = damaged->position + damaged->bytes});
    drop(stream, *damaged, DropReason::kCorrupt);
  } else if (places.empty()) {
    return false;
  }
  if (!places.empty()) {
    Status written = bytes_[stream].write(ring.head, std::as_bytes(std::span(moved)));
    if (written) written = file_->sync();
    if (!written) return close_on(written.error());
    ring.head += moved.size();
    for (const auto& [moved_sequence, position] : places) ring.move(*ring.find(moved_sequence), position);
  }
  MW_CHECK_OK(checkpoint());
  return true;
}

// What is known now, on disk; from then on the places before the tails may be written over.
Status Outbox::checkpoint() {
  const std::string bytes = prepare_checkpoint();
  return end_checkpoint(write_checkpoint(bytes));
}

std::string Outbox::prepare_checkpoint() {
  state_.observed_ns = observed_ns();
  ++state_.generation;
  for (size_t i = 0; i < kStreams; ++i) {
    state_.rings[i].tail = rings_[i].tail();
    state_.rings[i].head = rings_[i].head;
  }
  acknowledged_ = 0;
  std::string bytes = encode(state_);
  MW_CHECK(bytes.size() <= outbox::kCheckpointBytes, "the limits of the tables keep a checkpoint within its place");
  return bytes;
}

// Under `writing_` alone: the file stays.
Status Outbox::write_checkpoint(std::string_view bytes) {
  const uint64_t at = state_.generation % 2 * outbox::kCheckpointBytes;
  MW_CHECK_OK(file_->write(at, std::as_bytes(std::span(bytes))));
  return file_->sync();
}

Status Outbox::end_checkpoint(const Status& written) {
  if (!written) return close_on(written.error());
  for (size_t i = 0; i < kStreams; ++i) rings_[i].safe_tail = state_.rings[i].tail;
  last_checkpoint_ns_ = clock_.monotonic_ns();
  return {};
}

}  // namespace millwright::edge
