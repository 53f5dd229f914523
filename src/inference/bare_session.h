// SPDX-License-Identifier: Apache-2.0
// The shortest way to run a model by ONNX Runtime's C interface, one float input and one float output: what ours is
// measured against. For tests and benchmarks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "inference/ort.h"

namespace millwright::inference {

class BareSession {
 public:
  BareSession(std::span<const std::byte> bytes, std::string input, std::vector<int64_t> input_shape, std::string output,
              std::vector<int64_t> output_shape)
      : input_name_(std::move(input)), output_name_(std::move(output)) {
    OrtSessionOptions* options = nullptr;
    must(ort().CreateSessionOptions(&options));
    const OwnedSessionOptions owned(options);
    must(ort().SetIntraOpNumThreads(options, 1));
    OrtSession* session = nullptr;
    must(ort().CreateSessionFromArray(ort_environment().value(), bytes.data(), bytes.size(), options, &session));
    session_.reset(session);
    input_value_ = tensor(input_, input_shape);
    output_value_ = tensor(output_, output_shape);
  }

  bool run() {
    const char* in = input_name_.c_str();
    const char* out = output_name_.c_str();
    const OrtValue* x = input_value_.get();
    OrtValue* y = output_value_.get();
    return ort().Run(session_.get(), nullptr, &in, &x, 1, &out, 1, &y) == nullptr;
  }

  [[nodiscard]] std::span<float> input() { return input_; }
  [[nodiscard]] std::span<const float> output() const { return output_; }

 private:
  static void must(OrtStatus* status) { MW_CHECK(status == nullptr, "the bare session failed"); }

  static OwnedValue tensor(std::vector<float>& memory, const std::vector<int64_t>& shape) {
    size_t count = 1;
    for (const int64_t dim : shape) count *= static_cast<size_t>(dim);
    memory.assign(count, 0.0F);
    OrtMemoryInfo* info = nullptr;
    must(ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &info));
    const OwnedMemoryInfo owned(info);
    OrtValue* value = nullptr;
    must(ort().CreateTensorWithDataAsOrtValue(info, memory.data(), memory.size() * sizeof(float), shape.data(),
                                              shape.size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
    return OwnedValue(value);
  }

  std::string input_name_;
  std::string output_name_;
  std::vector<float> input_;
  std::vector<float> output_;
  OwnedSession session_;
  OwnedValue input_value_;
  OwnedValue output_value_;
};

}  // namespace millwright::inference
