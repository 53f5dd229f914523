// SPDX-License-Identifier: Apache-2.0
// Runs an ONNX model through ONNX Runtime with inputs and outputs bound once. The only room that knows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/rung.h"
#include "onnx/model.h"

namespace millwright::inference {

struct SessionOptions {
  int threads = 1;  // intra-op; 1 keeps the stroke path on its own thread
  onnx::Limits limits;
  bool disable_arena = false;
  Rung rung;  // who runs it
  // Beginning of the path of ONNX Runtime's own profile, written while it runs and closed with the session; empty:
  // none.
  std::string profile = {};
};

// A model with fixed shapes of one batch size, its tensors allocated and bound. run() neither allocates (beyond what
// ONNX Runtime does itself) nor throws. One thread at a time.
class Session {
 public:
  // `bytes` is parsed and checked by onnx::Model first. Symbolic dimensions: the first is `batch`, others must be 1 or
  // are refused with the name of the dimension. kInvalidInput, kRefused, kTooLarge, kUnsupported (also where the
  // rung's provider cannot be used here, or cannot run the whole model and may not do so by halves).
  static Result<Session> create(std::span<const std::byte> bytes, size_t batch, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  struct Tensor {
    std::string name;
    onnx::ElementType type;
    std::vector<int64_t> shape;  // with the batch put in
    std::span<std::byte> data;   // bound memory; stable for the life of the session
  };
  [[nodiscard]] std::span<Tensor> inputs();
  [[nodiscard]] std::span<Tensor> outputs();
  // The first input or output as floats; a bug where it is of another type.
  [[nodiscard]] std::span<float> input_floats(size_t index = 0);
  [[nodiscard]] std::span<const float> output_floats(size_t index = 0) const;

  // Runs on what the inputs hold; results are in the outputs. False: ONNX Runtime refused, last_error() says why.
  [[nodiscard]] bool run() noexcept;
  [[nodiscard]] const std::string& last_error() const;

  [[nodiscard]] size_t batch() const;
  [[nodiscard]] Provider provider() const;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ONNX Runtime's version, "1.30.0".
std::string runtime_version();

}  // namespace millwright::inference
