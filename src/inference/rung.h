// SPDX-License-Identifier: Apache-2.0
// A rung of the provider ladder: one of ONNX Runtime's execution providers and how it is to be used.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millwright::inference {

// The values are indices into model::kProviders.
enum class Provider : uint8_t { kCpu = 1, kOpenVino = 2, kCuda = 3, kTensorRt = 4 };

// "CPUExecutionProvider", as ONNX Runtime calls it.
std::string_view runtime_name(Provider provider);
// "cpu", "openvino", "cuda", "tensorrt": as people write it.
std::string_view short_name(Provider provider);
// The inverse of both; kInvalidInput with what is known.
Result<Provider> parse_provider(std::string_view name);

struct Rung {
  Provider provider = Provider::kCpu;
  int device_id = 0;              // CUDA and TensorRT
  bool fp16 = false;              // TensorRT and OpenVINO may calculate with half precision; CUDA with TF32
  bool int8 = false;              // TensorRT may use INT8; needs a model with QDQ pairs, or a calibration table
  uint64_t workspace_bytes = 0;   // TensorRT, while it builds; 0: what it takes by itself
  std::string calibration_table;  // TensorRT: a file; empty: none
  std::string cache;              // folder of engines and timings; empty: none are kept
  // Nodes that the provider cannot run may go to the CPU. Otherwise the rung does not count: a model that runs on the
  // GPU by halves is mostly slower than on the CPU alone, and nobody is told.
  bool partial = false;
  bool operator==(const Rung&) const = default;
};

// What a box is: the rungs from the top, and whether the model for it is an INT8 one.
struct DeviceProfile {
  std::string_view name;  // "jetson-agx-orin-int8"
  std::vector<Rung> rungs;
};
std::span<const DeviceProfile> device_profiles();
// kInvalidInput with the names that are known.
Result<DeviceProfile> find_profile(std::string_view name);

// Whether this ONNX Runtime was built with the provider and its library lies beside the runtime's: a look at names that
// costs microseconds and loads nothing. kUnsupported says what is missing and what to do. That it is there does not
// mean that it works.
Status provider_present(Provider provider);

// TensorRT, CUDA, OpenVINO, CPU.
std::vector<Rung> default_ladder();

}  // namespace millwright::inference
