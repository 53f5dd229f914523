// SPDX-License-Identifier: Apache-2.0
// What a broker sends, as one stream of bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/mqtt/packets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright::net::mqtt;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  while (true) {
    const auto frame = next_frame(bytes, 4096);
    if (!frame || !*frame) return 0;
    if ((*frame)->size > bytes.size() || (*frame)->size < 2) std::abort();
    if (const auto packet = parse_packet(**frame)) {
      const auto* inbound = std::get_if<Inbound>(&*packet);
      if (inbound != nullptr && (!is_topic(inbound->topic) || inbound->payload.size() > (*frame)->size)) std::abort();
    }
    bytes.remove_prefix((*frame)->size);
  }
}
