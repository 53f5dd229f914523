// SPDX-License-Identifier: Apache-2.0
#include "recording/decoded.h"
#include "recording/decoders.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright::recording;
  MemorySource source(std::as_bytes(std::span(data, size)));
  check_decoded(decode_csv(source, {}));
  return 0;
}
