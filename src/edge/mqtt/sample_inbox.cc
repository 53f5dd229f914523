// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/sample_inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr size_t kRingBytes = 32 << 20;
constexpr size_t kFewestSlots = 8;
constexpr size_t kMostSlots = 256;

size_t frames_of(const InboxOptions& options) {
  return options.payload.kind == PayloadKind::kPacket ? kMaxPacketFrames : options.payload.length;
}

size_t slots_of(const InboxOptions& options) {
  if (options.slots != 0) return options.slots;
  const size_t bytes = options.payload.channels * frames_of(options) * sizeof(float);
  return std::clamp(kRingBytes / bytes, kFewestSlots, kMostSlots);
}

}  // namespace

SampleInbox::SampleInbox(const InboxOptions& options)
    : options_(options),
      slots_(slots_of(options)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      stream_(options.rate_hz, options.rate_span_ns) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
  for (Slot& slot : slots_) slot.planar.resize(options_.payload.channels * frames_of(options_));
  part_.resize(options_.payload.channels * kMaxPacketFrames);
}

size_t SampleInbox::payload_limit() const {
  if (!packets()) return options_.payload.bytes();
  return kPacketHeaderBytes + options_.payload.channels * kMaxPacketFrames * sizeof(float);
}

void SampleInbox::refuse(std::string_view why) {
  counters_.refused.fetch_add(1, std::memory_order_relaxed);
  refusal_.put(why);
}

bool SampleInbox::unpack(std::string_view payload, Slot& slot) {
  if (!packets()) {
    if (const Status whole = unpack_window(options_.payload, payload, slot.planar); !whole) {
      refuse(whole.error().message);
      return false;
    }
    slot.frames = options_.payload.length;
    return true;
  }
  const auto bytes = std::as_bytes(std::span(payload));
  const auto header = decode_packet(bytes);
  if (!header || header->channels != options_.payload.channels || header->frames > kMaxPacketFrames) {
    refuse(header
               ? fmt::format("a packet of {} channels and {} frames; the asset has {} channels, at most {} frames fit",
                             header->channels, header->frames, options_.payload.channels, kMaxPacketFrames)
               : fmt::format("{} bytes that are no packet", payload.size()));
    return false;
  }
  unpack_samples(*header, bytes, slot.planar);
  slot.header = *header;
  slot.frames = header->frames;
  return true;
}

void SampleInbox::put(std::string_view payload, int64_t arrival_ns) {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  if (head - tail_.load(std::memory_order_acquire) == slots_.size()) {
    // Of what is too long, or too short, to be a window nobody waits for a verdict.
    if (!packets() && payload.size() != options_.payload.bytes()) return refuse("a payload that is no window");
    left_out_ns_.store(arrival_ns, std::memory_order_relaxed);
    counters_.left_out.fetch_add(1, std::memory_order_release);
    return;
  }
  Slot& slot = slots_[head % slots_.size()];
  if (!unpack(payload, slot)) return;
  slot.arrival_ns = arrival_ns;
  slot.left_out = counters_.left_out.load(std::memory_order_relaxed);
  head_.store(head + 1, std::memory_order_release);
  if (!sleeping_.exchange(false, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // Full means that the stroke thread is being woken already.
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

bool SampleInbox::may_sleep() {
  // An exchange and not a store: it comes before the exchange in put(), which then wakes, or reads from it, and then
  // the look below sees what was put before that.
  sleeping_.exchange(true, std::memory_order_acq_rel);
  return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_relaxed);
}

void SampleInbox::awake() {
  sleeping_.store(false, std::memory_order_relaxed);
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t n = ::read(event_.get(), &ignored, sizeof(ignored));
}

// Its first sample, as silence, and a hole for the rest: a window that comes out as torn.
Block SampleInbox::window_without_samples(int64_t arrival_ns) {
  std::fill_n(part_.begin(), options_.payload.channels, 0.0F);
  Block block{.kind = Block::Kind::kSamples, .frames = 1, .arrival_ns = arrival_ns};
  block.planar = std::span<const float>(part_).first(options_.payload.channels);
  block.gap_frames = std::exchange(gap_frames_, options_.payload.length - 1);
  event_at_ = {.sample = 0, .cycle = std::nullopt};
  block.events = std::span(&event_at_, 1);
  ++seen_left_out_;
  counters_.gaps.fetch_add(1, std::memory_order_relaxed);
  counters_.frames_lost.fetch_add(options_.payload.length, std::memory_order_relaxed);
  return block;
}

// What was left out last is over, also where nothing follows it.
Block SampleInbox::end_of_gap() {
  Block block{.kind = Block::Kind::kSamples, .frames = 1, .arrival_ns = left_out_ns_.load(std::memory_order_relaxed)};
  block.planar = std::span<const float>(part_).first(options_.payload.channels);
  block.gap_frames = std::exchange(gap_frames_, 0) - 1;
  return block;
}

void SampleInbox::release() {
  taken_ = false;
  position_ = 0;
  tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

// False: the message says nothing new.
bool SampleInbox::begin(Slot& slot, Block& block) {
  event_at_ = {.sample = 0, .cycle = std::nullopt};
  if (!packets()) {
    block.events = std::span(&event_at_, 1);
    block.gap_frames = std::exchange(gap_frames_, 0);
    return true;
  }
  block.frames = slot.frames;
  block.arrival_ns = slot.arrival_ns;
  if (!stream_.place(slot.header, block, counters_)) {
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  block.fault = stream_.check_rate(block);
  if (slot.header.cycle_frame != kNoCycle) {
    event_at_ = {.sample = slot.header.cycle_frame, .cycle = slot.header.cycle};
    block.events = std::span(&event_at_, 1);
  }
  return true;
}

std::optional<Block> SampleInbox::take_front(size_t max_frames) {
  Slot& slot = slots_[tail_.load(std::memory_order_relaxed) % slots_.size()];
  Block block{.kind = Block::Kind::kSamples};
  if (position_ == 0 && !begin(slot, block)) {
    release();
    return std::nullopt;
  }
  const size_t left = slot.frames - position_;
  block.frames = std::min({left, max_frames, kMaxPacketFrames});
  const size_t channels = options_.payload.channels;
  if (block.frames == slot.frames) {
    block.planar = std::span<const float>(slot.planar).first(channels * slot.frames);
  } else {
    for (size_t channel = 0; channel < channels; ++channel) {
      const auto from = slot.planar.begin() + static_cast<ptrdiff_t>(channel * slot.frames + position_);
      std::copy_n(from, block.frames, part_.begin() + static_cast<ptrdiff_t>(channel * block.frames));
    }
    block.planar = std::span<const float>(part_).first(channels * block.frames);
  }
  position_ += block.frames;
  taken_ = position_ == slot.frames;
  // The message came as a whole; its samples did not happen as a whole.
  const auto later = static_cast<double>(slot.frames - position_);
  const double later_ns = options_.rate_hz > 0.0 ? later / options_.rate_hz * kNanosPerSecond : 0.0;
  block.arrival_ns = slot.arrival_ns - static_cast<int64_t>(later_ns);
  counters_.frames.fetch_add(block.frames, std::memory_order_relaxed);
  return block;
}

std::optional<Block> SampleInbox::take(size_t max_frames) {
  if (taken_) release();
  while (true) {
    // Read before the look at the ring, so that none of these came after a message that is there.
    const uint64_t left_out = counters_.left_out.load(std::memory_order_acquire);
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const bool empty = head_.load(std::memory_order_acquire) == tail;
    if (!packets() && position_ == 0) {
      const uint64_t before = empty ? left_out : slots_[tail % slots_.size()].left_out;
      if (seen_left_out_ < before) return window_without_samples(left_out_ns_.load(std::memory_order_relaxed));
    }
    if (empty) return gap_frames_ == 0 ? std::nullopt : std::optional(end_of_gap());
    if (auto block = take_front(max_frames)) return block;
  }
}

}  // namespace millwright::edge
