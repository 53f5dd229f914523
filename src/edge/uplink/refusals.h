// SPDX-License-Identifier: Apache-2.0
// Which topics a broker refuses, as far as it said so: each change is told once, however often it refuses.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "net/mqtt/reason_codes.h"

namespace millwright::edge {

// Refused for what it is, and it will be no different tomorrow; everything else is about rights and limits that an
// operator may change.
constexpr bool is_about_the_message(uint8_t reason) {
  constexpr uint8_t kUnspecified = 0x80;
  constexpr uint8_t kImplementation = 0x83;
  constexpr uint8_t kTopicInvalid = 0x90;
  constexpr uint8_t kTooLarge = 0x95;
  constexpr uint8_t kPayloadInvalid = 0x99;
  return reason == kUnspecified || reason == kImplementation || reason == kTopicInvalid || reason == kTooLarge ||
         reason == kPayloadInvalid;
}

class Refusals {
 public:
  static constexpr size_t kMaxTopics = 4096;  // more are not told of

  enum class Change : uint8_t { kNone, kRefused, kAcceptedAgain };

  // What the broker answered to a message on `topic`, by a reason of MQTT 5. kRefused: for the first time, or for
  // another reason than before.
  Change answered(std::string_view topic, uint8_t reason) {
    const auto known = refused_.find(topic);
    if (reason < net::mqtt::kReasonFirstError) {
      if (known == refused_.end()) return Change::kNone;
      refused_.erase(known);
      return Change::kAcceptedAgain;
    }
    if (known != refused_.end()) {
      if (known->second == reason) return Change::kNone;
      known->second = reason;
      return Change::kRefused;
    }
    if (refused_.size() >= kMaxTopics) return Change::kNone;
    refused_.emplace(topic, reason);
    return Change::kRefused;
  }

 private:
  std::map<std::string, uint8_t, std::less<>> refused_;
};

}  // namespace millwright::edge
