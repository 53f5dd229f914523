// SPDX-License-Identifier: Apache-2.0
// What a machine whose power is cut says to the host, one line each, before the power goes: words that are out survive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millwright::campaign {

// Every so many-th stroke is an alert.
inline constexpr uint64_t kAlertEvery = 4;

enum class CutBroken : uint8_t {
  kNot,
  kNoSync,        // the outbox's file says that it is synced, and is not
  kTellsTooEarly  // says that records are durable while the newest are in memory
};

struct CutNote {
  enum Kind : char {
    kMounted = 'M',
    kListed = 'L',    // waits in the outbox after a start
    kOpened = 'O',    // all that waits was listed; stroke: the highest ever stored; sequence: damaged places found
    kCaughtUp = 'F',  // what the journal had is in the outbox too, up to `stroke`
    kRecorded = 'R',  // the journal says that strokes up to this one are durable
    kDurable = 'D',   // the outbox says so
    kTaken = 'T',     // read for somebody, who may keep it
    kDone = 'Z',      // nothing waits any more; sequence: messages given up
    kFailed = 'X'     // the program can not go on; stroke: where
  };
  Kind kind = kMounted;
  uint64_t stream = 0;
  uint64_t stroke = 0;
  uint64_t sequence = 0;
  bool right = true;  // the payload is the record's line
  std::string boot;
};

std::string to_line(const CutNote& note);
// Empty where the line is none, or was torn: the kernel talks on the same wire.
std::optional<CutNote> parse_cut_note(std::string_view line);

}  // namespace millwright::campaign
