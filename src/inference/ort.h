// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's C interface with owners for its objects. Only this room includes it.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <string_view>

#include "base/error.h"
#include "onnx/types.h"

namespace millwright::inference {

// The interface at the version of the headers that we build with; a newer library serves it. A bug where the library
// is older than the headers.
const OrtApi& ort();

template <auto Release>
struct OrtRelease {
  template <typename T>
  void operator()(T* object) const {
    (ort().*Release)(object);
  }
};
using OwnedSession = std::unique_ptr<OrtSession, OrtRelease<&OrtApi::ReleaseSession>>;
using OwnedSessionOptions = std::unique_ptr<OrtSessionOptions, OrtRelease<&OrtApi::ReleaseSessionOptions>>;
using OwnedBinding = std::unique_ptr<OrtIoBinding, OrtRelease<&OrtApi::ReleaseIoBinding>>;
using OwnedRunOptions = std::unique_ptr<OrtRunOptions, OrtRelease<&OrtApi::ReleaseRunOptions>>;
using OwnedValue = std::unique_ptr<OrtValue, OrtRelease<&OrtApi::ReleaseValue>>;
using OwnedTypeInfo = std::unique_ptr<OrtTypeInfo, OrtRelease<&OrtApi::ReleaseTypeInfo>>;
using OwnedMemoryInfo = std::unique_ptr<OrtMemoryInfo, OrtRelease<&OrtApi::ReleaseMemoryInfo>>;
using OwnedShape = std::unique_ptr<OrtTensorTypeAndShapeInfo, OrtRelease<&OrtApi::ReleaseTensorTypeAndShapeInfo>>;

// The process's one environment, made on first use and kept until exit: sessions share it, and tearing it down while
// a static session still lives would not end well.
Result<OrtEnv*> ort_environment();

ONNXTensorElementDataType ort_type(onnx::ElementType type);

// Takes the status over. What ONNX Runtime says, on one line, with its own code turned into ours.
Status ort_status(OrtStatus* status, std::string_view what);

}  // namespace millwright::inference

#define MW_ORT(what, call) MW_CHECK_OK(::millwright::inference::ort_status(call, what))
