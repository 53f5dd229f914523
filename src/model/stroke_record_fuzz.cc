// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/stroke_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto record = millwright::model::parse_json_line({reinterpret_cast<const char*>(data), size});
  // What was read must be writable and readable again.
  if (record && !millwright::model::parse_json_line(millwright::model::to_json_line(*record, {}))) std::abort();
  return 0;
}
