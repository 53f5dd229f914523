// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/outbox.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace millwright::edge {

using outbox::Entry;
using outbox::RecordHead;

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

std::filesystem::path side_path(const std::filesystem::path& folder, std::string_view file) {
  return folder.empty() ? std::filesystem::path() : folder / file;
}

}  // namespace

Outbox::Outbox(OutboxOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      quarantine_(side_path(options_.folder, "outbox.quarantine"), options_.max_side_bytes),
      dead_letters_(side_path(options_.folder, "outbox.dead"), options_.max_side_bytes) {
  if (!options_.open_file) options_.open_file = outbox::block_file_at(options_.folder / "outbox.log");
  for (const StreamOptions& stream : options_.streams) {
    MW_CHECK(stream.bytes >= outbox::kMinRingBytes && stream.bytes <= outbox::kMaxRingBytes &&
                 stream.bytes % outbox::kAlignment == 0,
             "the configuration keeps rings within their limits");
  }
}

Outbox::~Outbox() {
  const std::lock_guard writing(writing_);
  const std::lock_guard lock(mutex_);
  // Saves the next start from sending what was acknowledged; where it fails, that is all that is lost.
  if (open_) (void)checkpoint();
}

bool Outbox::is_open() const { return open_; }

uint64_t Outbox::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return state_.next_sequence - 1;
}

std::string Outbox::boot_id() const {
  const std::lock_guard lock(mutex_);
  return state_.boots.empty() ? std::string() : outbox::text_of(state_.boots.back().id);
}

uint64_t Outbox::highest_stroke(std::string_view asset, Stream stream) const {
  const std::lock_guard lock(mutex_);
  // The last of that name: see count_anew().
  for (auto mark = state_.assets.rbegin(); mark != state_.assets.rend(); ++mark) {
    if (mark->name == asset) return mark->strokes[static_cast<size_t>(stream)];
  }
  return 0;
}

// Counted by the monotonic clock while the store is open, and carried on from the checkpoint: a wall clock that jumps
// by years moves nothing. Time while the box is off does not count, so that a message may live longer than its time to
// live, never shorter.
uint64_t Outbox::observed_ns() const {
  return observed_before_ns_ + static_cast<uint64_t>(std::max<int64_t>(clock_.monotonic_ns() - opened_ns_, 0));
}

uint32_t Outbox::observed_s() const {
  return static_cast<uint32_t>(std::min<uint64_t>(observed_ns() / kNanosPerSecond, UINT32_MAX));
}

std::string Outbox::boot_of(uint64_t sequence) const {
  const auto behind =
      std::upper_bound(state_.boots.begin(), state_.boots.end(), sequence,
                       [](uint64_t value, const outbox::BootMark& boot) { return value < boot.first_sequence; });
  return behind == state_.boots.begin() ? std::string() : outbox::text_of(std::prev(behind)->id);
}

void Outbox::drop(size_t stream, Entry& entry, DropReason reason) {
  ++state_.rings[stream].drops[static_cast<size_t>(reason)];
  rings_[stream].remove(entry);
}

void Outbox::expire() {
  const uint32_t now = observed_s();
  for (size_t i = 0; i < kStreams; ++i) {
    const int64_t ttl = options_.streams[i].ttl_s;
    if (ttl <= 0) continue;
    while (Entry* entry = rings_[i].oldest()) {
      if (now < entry->age_s || now - entry->age_s <= ttl) break;
      drop(i, *entry, DropReason::kExpired);
    }
  }
}

// A message as it was given. kCorrupt: it is damaged; kIo: it cannot be read now.
Result<StoredMessage> Outbox::load(size_t stream, const Entry& entry) {
  std::string record(entry.bytes, '\0');
  MW_CHECK_OK(bytes_[stream].read(entry.position, std::as_writable_bytes(std::span(record))));
  RecordHead head;
  if (!read_record(std::as_bytes(std::span(record)), state_.store, entry.position, head) ||
      head.sequence != entry.sequence || head.asset >= state_.assets.size()) {
    return fail(ErrorCode::kCorrupt, "message {} of stream {} is damaged", entry.sequence,
                name(static_cast<Stream>(stream)));
  }
  const auto stored = std::string_view(record).substr(sizeof(head), head.stored_bytes);
  StoredMessage message;
  message.stream = static_cast<Stream>(stream);
  message.payload = MW_TRY(templates_.decode(head.model, stored));
  message.sequence = head.sequence;
  message.boot_id = boot_of(head.sequence);
  message.asset = state_.assets[head.asset].name;
  message.stroke_id = head.stroke_id;
  message.wall_ns = head.wall_ns;
  message.age_s = static_cast<int64_t>(observed_s()) - head.age_s;
  return message;
}

// A place on the disk that cannot be read must not stop what lies behind it: its messages are passed over, and wait for
// another try or the end of their time.
Result<std::vector<StoredMessage>> Outbox::read(Stream stream, uint64_t after, size_t max_messages) {
  constexpr uint64_t kPlaceBytes = 4096;  // what a disk fails to read at once
  constexpr size_t kMostPlaces = 16;      // each twice as long as the one before: then it is the whole ring
  const std::lock_guard lock(mutex_);
  if (!open_) return fail(ErrorCode::kUnavailable, "the outbox is closed: {}", last_error_);
  expire();
  const auto i = static_cast<size_t>(stream);
  std::vector<StoredMessage> messages;
  Status failure;
  size_t bad_places = 0;
  uint64_t place_bytes = kPlaceBytes;
  uint64_t bad_from = 0;
  uint64_t bad_to = 0;
  while (messages.size() < max_messages) {
    const Entry* entry = rings_[i].next(after + 1);
    if (entry == nullptr) break;
    after = entry->sequence;
    if (entry->position >= bad_from && entry->position < bad_to) continue;
    auto message = load(i, *entry);
    if (message) {
      messages.push_back(std::move(*message));
      place_bytes = kPlaceBytes;
    } else if (message.error().code == ErrorCode::kCorrupt) {
      quarantine(i, {.from = entry->position, .to = entry->position + entry->bytes});
      drop(i, *rings_[i].find(after), DropReason::kCorrupt);
    } else {
      ++unreadable_;
      failure = std::unexpected(message.error());
      if (++bad_places == kMostPlaces) break;
      bad_from = entry->position;
      bad_to = bad_from / kPlaceBytes * kPlaceBytes + place_bytes;
      place_bytes *= 2;
    }
  }
  if (messages.empty() && !failure) return std::unexpected(failure.error());
  return messages;
}

Entry* Outbox::find(std::string_view boot_id, uint64_t sequence, size_t& stream) {
  if (boot_of(sequence) != boot_id) return nullptr;
  for (stream = 0; stream < kStreams; ++stream) {
    if (Entry* entry = rings_[stream].find(sequence)) return entry;
  }
  return nullptr;
}

size_t Outbox::acknowledge(std::string_view boot_id, std::span<const uint64_t> sequences) {
  const std::lock_guard lock(mutex_);
  if (!open_) return 0;
  size_t known = 0;
  for (const uint64_t sequence : sequences) {
    size_t stream = 0;
    Entry* entry = find(boot_id, sequence, stream);
    if (entry == nullptr) continue;
    ++state_.rings[stream].delivered;
    rings_[stream].remove(*entry);
    ++known;
  }
  acknowledged_ += known;
  return known;
}

void Outbox::refuse(std::string_view boot_id, uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  size_t stream = 0;
  Entry* entry = find(boot_id, sequence, stream);
  if (entry == nullptr) return;
  const uint32_t refusals = std::min(entry->refusals + 1U, 255U);
  entry->refusals = refusals;
  if (refusals < std::min(options_.max_refusals, 255U)) return;
  const auto message = load(stream, *entry);
  if (!message) return;  // read() finds it
  const std::string head = fmt::format("{} {} {} {} {} {}\n", name(message->stream), message->boot_id, sequence,
                                       message->asset, message->stroke_id, message->payload.size());
  const Status kept = dead_letters_.append(head + message->payload + "\n");
  if (kept || static_cast<Stream>(stream) != Stream::kAlerts) drop(stream, *entry, DropReason::kRefused);
}

Status Outbox::tick() {
  const std::lock_guard writing(writing_);
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return fail(ErrorCode::kUnavailable, "the outbox is closed: {}", last_error_);
    expire();
    if (clock_.monotonic_ns() - last_checkpoint_ns_ < options_.checkpoint_every_ns &&
        acknowledged_ < options_.checkpoint_every_acknowledged) {
      return {};
    }
    bytes = prepare_checkpoint();
  }
  // As for a batch: readers and acknowledgements do not wait for the disk.
  const Status written = write_checkpoint(bytes);
  const std::lock_guard lock(mutex_);
  return end_checkpoint(written);
}

Status Outbox::count_anew(std::string_view asset) {
  const std::lock_guard writing(writing_);
  const std::lock_guard lock(mutex_);
  if (!open_) return fail(ErrorCode::kUnavailable, "the outbox is closed: {}", last_error_);
  if (state_.assets.size() == outbox::kMaxAssets) {
    return fail(ErrorCode::kTooLarge, "more than {} assets in one outbox", outbox::kMaxAssets);
  }
  // What waits keeps its place in the table, with the strokes it is about.
  state_.assets.push_back({.name = std::string(asset), .strokes = {}});
  return checkpoint();
}

// Smooths over an hour, in steps of at least ten seconds.
void Outbox::note_rate(uint64_t score_bytes) {
  constexpr double kSmoothOverS = 3600.0;
  constexpr double kStepS = 10.0;
  rate_bytes_ += score_bytes;
  const int64_t now = clock_.monotonic_ns();
  const double passed = static_cast<double>(now - rate_since_ns_) / kNanosPerSecond;
  if (passed < kStepS) return;
  const double seen = static_cast<double>(rate_bytes_) / passed;
  rate_ = rate_ == 0.0 ? seen : rate_ + (seen - rate_) * (1.0 - std::exp(-passed / kSmoothOverS));
  rate_since_ns_ = now;
  rate_bytes_ = 0;
}

OutboxFigures Outbox::figures() {
  constexpr double kTypicalRecordBytes = 144.0;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  const std::lock_guard shown(shown_mutex_);
  shown_.open = open_;
  if (!lock) return shown_;
  OutboxFigures figures;
  figures.open = open_;
  figures.last_error = last_error_;
  figures.quarantined = quarantined_;
  figures.unreadable = unreadable_;
  figures.bytes = outbox::kRingsAt;
  for (size_t i = 0; i < kStreams; ++i) {
    const outbox::RingMark& mark = state_.rings[i];
    figures.streams[i] = {.messages = rings_[i].count(),
                          .bytes = rings_[i].live_bytes(),
                          .capacity = mark.bytes,
                          .drops = mark.drops,
                          .delivered = mark.delivered};
    figures.bytes += mark.bytes;
  }
  const StreamFigures& scores = figures.streams[static_cast<size_t>(Stream::kScores)];
  figures.headroom_bytes = scores.capacity - std::min(scores.capacity, scores.bytes);
  const double rate = rate_ > 0.0 ? rate_ : options_.expected_scores_per_s * kTypicalRecordBytes;
  figures.headroom_s = static_cast<double>(figures.headroom_bytes) / rate;
  shown_ = figures;
  return figures;
}

}  // namespace millwright::edge
