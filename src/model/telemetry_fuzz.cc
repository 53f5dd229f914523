// SPDX-License-Identifier: Apache-2.0
// Payloads and topics from strangers. What was read must be writable, and then be read as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/telemetry.h"

namespace {

using namespace millwright::model;

template <typename Parse, typename Write>
void round_trip(std::string_view payload, Parse parse, Write write) {
  const auto first = parse(payload);
  if (!first) return;
  const std::string text = write(*first);
  const auto second = parse(text);
  if (!second || write(*second) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text, parse_health_message, health_message);
  round_trip(text, parse_status_message, status_message);
  round_trip(text, parse_ack_message, ack_message);
  round_trip(text, parse_command_message, command_message);
  if (const auto stroke = parse_stroke_message(text); stroke && !check_id("boot_id", stroke->identity.boot_id))
    std::abort();
  if (const auto parts = parse_topic("", text)) {
    const bool edge = parts->line_id.empty();
    const auto topics = Topics::create("", parts->factory_id, edge ? parts->device_id : "d");
    if (!topics) std::abort();
    const std::string made =
        edge ? topics->edge(parts->channel) : topics->asset(parts->line_id, parts->asset_id, parts->channel);
    if (made != text) std::abort();
  }
  return 0;
}
