// SPDX-License-Identifier: Apache-2.0
#include "edge/alarm.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr double kNanosPerHour = 3600e9;
constexpr uint32_t kMaxM = 64;
// Places in AlarmMemory::state.
constexpr unsigned kConditionBit = 8;
constexpr unsigned kUnconfirmedBit = 9;
constexpr unsigned kQuietShift = 32;

using enum AlarmState;
constexpr size_t kStates = 5;
constexpr size_t kEvents = 5;
using Table = std::array<std::array<AlarmState, kEvents>, kStates>;

// Rows: the state; columns: raise, clear, acknowledge, shelve, unshelve.
constexpr Table kLatching = {{
    /* normal            */ {kUnacknowledged, kNormal, kNormal, kShelved, kNormal},
    /* unacknowledged    */ {kUnacknowledged, kReturnUnacknowledged, kAcknowledged, kShelved, kUnacknowledged},
    /* acknowledged      */ {kAcknowledged, kNormal, kAcknowledged, kShelved, kAcknowledged},
    /* return unack.     */ {kUnacknowledged, kReturnUnacknowledged, kNormal, kShelved, kReturnUnacknowledged},
    /* shelved           */ {kShelved, kShelved, kShelved, kShelved, kNormal},
}};
constexpr Table kNotLatching = {{
    {kUnacknowledged, kNormal, kNormal, kShelved, kNormal},
    {kUnacknowledged, kNormal, kAcknowledged, kShelved, kUnacknowledged},
    {kAcknowledged, kNormal, kAcknowledged, kShelved, kAcknowledged},
    {kUnacknowledged, kNormal, kNormal, kShelved, kNormal},  // not reached
    {kShelved, kShelved, kShelved, kShelved, kNormal},
}};

}  // namespace

std::string_view name(AlarmState state) {
  constexpr std::array<std::string_view, kStates> kNames = {"normal", "unacknowledged", "acknowledged",
                                                            "return_unacknowledged", "shelved"};
  return kNames[static_cast<size_t>(state)];
}

AlarmState next_state(AlarmState state, AlarmEvent event, bool latch) {
  const Table& table = latch ? kLatching : kNotLatching;
  return table[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

Alarm::Alarm(const AlarmOptions& options) : options_(options), tokens_(options.max_calls_per_hour) {
  MW_CHECK(options.raise_n >= 1 && options.raise_n <= options.raise_m && options.raise_m <= kMaxM,
           "the configuration bounds the debounce");
}

void Alarm::stroke(double score, bool is_alert, int64_t monotonic_ns) {
  tick(monotonic_ns);
  recent_ = (recent_ << 1) | (is_alert ? 1U : 0U);
  const uint64_t window = options_.raise_m == kMaxM ? ~0ULL : (1ULL << options_.raise_m) - 1;
  quiet_ = score < options_.clear_score ? quiet_ + 1 : 0;
  if (!condition_ && static_cast<uint32_t>(std::popcount(recent_ & window)) >= options_.raise_n) {
    condition_ = true;
    if (state_ != kShelved) call(monotonic_ns);
    apply(AlarmEvent::kRaise);
  } else if (condition_ && quiet_ >= options_.clear_strokes) {
    condition_ = false;
    recent_ = 0;
    apply(AlarmEvent::kClear);
  }
}

void Alarm::tick(int64_t monotonic_ns) {
  if (monotonic_ns >= shelved_until_ns_) end_shelf(monotonic_ns);
}

void Alarm::end_shelf(int64_t monotonic_ns) {
  if (state_ != kShelved) return;
  if (condition_) call(monotonic_ns);
  unshelve();
}

// Back to what stands: the condition, or what was latched and never confirmed.
void Alarm::unshelve() {
  apply(AlarmEvent::kUnshelve);
  if (condition_ || unconfirmed_) apply(AlarmEvent::kRaise);
  if (!condition_ && unconfirmed_) apply(AlarmEvent::kClear);
  unconfirmed_ = false;
}

AlarmMemory Alarm::memory() const {
  return {.state = static_cast<uint64_t>(state_) | uint64_t{condition_} << kConditionBit |
                   uint64_t{unconfirmed_} << kUnconfirmedBit | uint64_t{quiet_} << kQuietShift,
          .recent = recent_};
}

void Alarm::restore(const AlarmMemory& memory) {
  const uint64_t state = memory.state & ((1U << kConditionBit) - 1);
  if (state >= kStates) return;
  state_ = static_cast<AlarmState>(state);
  condition_ = (memory.state >> kConditionBit & 1U) != 0;
  unconfirmed_ = (memory.state >> kUnconfirmedBit & 1U) != 0;
  quiet_ = static_cast<uint32_t>(memory.state >> kQuietShift);
  recent_ = memory.recent;
  if (state_ == kShelved) unshelve();
  if (state_ == kReturnUnacknowledged && !options_.latch) state_ = kNormal;
}

void Alarm::acknowledge() {
  unconfirmed_ = false;
  apply(AlarmEvent::kAcknowledge);
}

void Alarm::shelve(int64_t until_monotonic_ns) {
  shelved_until_ns_ = until_monotonic_ns;
  unconfirmed_ = unconfirmed_ || (options_.latch && (state_ == kUnacknowledged || state_ == kReturnUnacknowledged));
  apply(AlarmEvent::kShelve);
}

bool Alarm::active() const { return stands(state_); }

void Alarm::apply(AlarmEvent event) { state_ = next_state(state_, event, options_.latch); }

// A token bucket: full it lets an hour's calls through at once, then one every hour / max.
void Alarm::call(int64_t monotonic_ns) {
  ++raised_;
  const double per_hour = options_.max_calls_per_hour;
  const double passed = raised_ == 1 ? 0.0 : static_cast<double>(monotonic_ns - tokens_ns_);
  tokens_ = std::min(per_hour, tokens_ + per_hour * passed / kNanosPerHour);
  tokens_ns_ = monotonic_ns;
  if (tokens_ >= 1.0) {
    tokens_ -= 1.0;
  } else {
    ++suppressed_;
  }
}

}  // namespace millwright::edge
