// SPDX-License-Identifier: Apache-2.0
// The reason codes of MQTT 5 (OASIS MQTT Version 5.0, section 2.4) in words.
#pragma once

#include <cstdint>
#include <string_view>

namespace millwright::net::mqtt {

inline constexpr uint8_t kReasonNoSubscriber = 0x10;  // taken by the broker, but nobody listens
inline constexpr uint8_t kReasonTakenOver = 0x8E;     // somebody else connected with this client id
inline constexpr uint8_t kReasonFirstError = 0x80;    // from here on the broker said no

// "not authorised"; a code that MQTT 5 does not know is said to be one.
std::string_view reason_name(uint8_t reason);

}  // namespace millwright::net::mqtt
