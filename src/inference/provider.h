// SPDX-License-Identifier: Apache-2.0
// Puts a rung's execution provider into a session's options. Providers are loaded at run time: nothing here needs their
// headers or libraries to build.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "inference/ort.h"
#include "inference/rung.h"

namespace millwright::inference {

// Nothing for the CPU. kUnsupported where this ONNX Runtime was built without the provider or one of its libraries is
// missing, with what is missing and what to do. Engines are kept in `rung.cache` (a folder that exists) if given.
Status append_provider(OrtSessionOptions* options, const Rung& rung);

// What an engine depends on beside the model: versions of ONNX Runtime, the driver and TensorRT, the GPU, and the
// rung's settings; one line, "unknown" for what this machine does not tell.
std::string provider_versions(const Rung& rung);

}  // namespace millwright::inference
