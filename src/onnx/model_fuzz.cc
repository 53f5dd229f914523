// SPDX-License-Identifier: Apache-2.0
// Any bytes as a model: read or refused, never a crash; what was read is written and read again.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "onnx/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using millwright::onnx::Limits;
  using millwright::onnx::Model;
  // Small limits let small inputs reach them; loops open the way into nested graphs.
  const Limits limits{.max_model_bytes = 1 << 20, .max_nodes = 64, .max_tensor_bytes = 1 << 20, .allow_loops = true};
  const auto model = Model::parse(std::as_bytes(std::span(data, size)), limits);
  if (!model) {
    MW_CHECK(model.error().message.find('\n') == std::string::npos, "one line");
    return 0;
  }
  static_cast<void>(model->summary());
  const auto written = model->serialize();
  MW_CHECK(written.has_value(), "what was read can be written");
  // Written anew it may be a byte longer than the limit; then it is refused for that alone.
  const auto again = Model::parse(*written, limits);
  MW_CHECK(again.has_value() || again.error().code == millwright::ErrorCode::kTooLarge, "what was written can be read");
  return 0;
}
