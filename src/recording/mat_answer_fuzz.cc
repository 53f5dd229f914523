// SPDX-License-Identifier: Apache-2.0
// All of our own code that meets a .mat file's bytes: the walk over its elements, and the answer of a child that the
// file has taken over. mat_fuzz tries the same with matio and a real child, at a few runs a second.
#include "recording/decoded.h"
#include "recording/mat_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright;
  using namespace millwright::recording;
  const auto bytes = std::as_bytes(std::span(data, size));
  MemorySource file(bytes);
  if (const Status whole = check_mat_elements(file); !whole)
    MW_CHECK(!whole.error().message.empty(), "an error says why");

  MemorySource answer(bytes);
  uint64_t offset = 0;
  const auto read_next = [&](std::span<std::byte> into) {
    offset += into.size();
    return answer.read_at(offset - into.size(), into);
  };
  check_decoded(decode_mat_answer(read_next, size, {}));
  return 0;
}
