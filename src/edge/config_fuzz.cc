// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "edge/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = millwright::edge::parse_config(text, "fuzz.toml", "/folder");
  // Accepted means usable: nothing that names a file, topic or label may be empty.
  if (config && (config->device_id.empty() || config->assets.empty() || config->state.empty())) __builtin_trap();
  return 0;
}
