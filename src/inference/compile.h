// SPDX-License-Identifier: Apache-2.0
// Builds ahead of time what a rung wants on this machine, so that the first start does not have to.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>

#include "base/error.h"
#include "inference/rung.h"

namespace millwright::inference {

struct CompileOptions {
  std::filesystem::path root;                     // engine folders go below, one per key
  std::chrono::milliseconds deadline{1'800'000};  // for an engine
};

struct Compiled {
  std::filesystem::path folder;  // of the key; an agent whose `cache` is the root finds it
  double build_s = 0.0;
  double load_ms = 0.0;        // of the model as it is, for the CPU; of the built engine, else
  double built_load_ms = 0.0;  // with what was built
};

// On the CPU: `model.ort`, the graph as ONNX Runtime has optimised it for this processor, with outputs equal to the
// model's. Above it: the provider's engines, by running the model in a child process. The model is tried, confined, on
// the CPU before. Errors as try_model, kIo, and kUnsupported with what is missing.
Result<Compiled> compile(std::span<const std::byte> model, const Rung& rung, const CompileOptions& options);

}  // namespace millwright::inference
