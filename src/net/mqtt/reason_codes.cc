// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/reason_codes.h"

#include <algorithm>
#include <array>

namespace millwright::net::mqtt {
namespace {

struct Row {
  uint8_t reason;
  std::string_view name;
};

// Sorted by reason.
constexpr std::array kRows = {
    Row{0x00, "success"},
    Row{0x04, "disconnect with last will"},
    Row{0x10, "no matching subscribers"},
    Row{0x11, "no subscription existed"},
    Row{0x18, "continue authentication"},
    Row{0x19, "authenticate again"},
    Row{0x80, "unspecified error"},
    Row{0x81, "malformed packet"},
    Row{0x82, "protocol error"},
    Row{0x83, "implementation specific error"},
    Row{0x84, "protocol version not supported"},
    Row{0x85, "client id not valid"},
    Row{0x86, "wrong user or password"},
    Row{0x87, "not authorised"},
    Row{0x88, "server unavailable"},
    Row{0x89, "server busy"},
    Row{0x8A, "banned"},
    Row{0x8B, "server shutting down"},
    Row{0x8C, "wrong authentication method"},
    Row{0x8D, "keep alive timed out"},
    Row{0x8E, "session taken over by another connection with the same client id"},
    Row{0x8F, "topic filter not valid"},
    Row{0x90, "topic name not valid"},
    Row{0x91, "packet id in use"},
    Row{0x92, "packet id not found"},
    Row{0x93, "more in flight than the broker takes"},
    Row{0x94, "topic alias not valid"},
    Row{0x95, "packet too large"},
    Row{0x96, "message rate too high"},
    Row{0x97, "quota exceeded"},
    Row{0x98, "administrative action"},
    Row{0x99, "payload format not valid"},
    Row{0x9A, "retained messages not supported"},
    Row{0x9B, "QoS not supported"},
    Row{0x9C, "use another server"},
    Row{0x9D, "server moved"},
    Row{0x9E, "shared subscriptions not supported"},
    Row{0x9F, "connection rate exceeded"},
    Row{0xA0, "maximum connect time"},
    Row{0xA1, "subscription ids not supported"},
    Row{0xA2, "wildcard subscriptions not supported"},
};

}  // namespace

std::string_view reason_name(uint8_t reason) {
  const auto row = std::lower_bound(kRows.begin(), kRows.end(), reason,
                                    [](const Row& candidate, uint8_t wanted) { return candidate.reason < wanted; });
  return row != kRows.end() && row->reason == reason ? row->name : "a reason that MQTT 5 does not know";
}

}  // namespace millwright::net::mqtt
