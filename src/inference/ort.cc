// SPDX-License-Identifier: Apache-2.0
#include "inference/ort.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "inference/session.h"

namespace millwright::inference {
namespace {

// ONNX Runtime's messages can hold whole signatures and graphs, with the reason at their end.
constexpr size_t kReasonHead = 80;
constexpr size_t kReasonTail = 240;

std::string shortened(std::string_view message) {
  if (message.size() <= kReasonHead + kReasonTail) return std::string(message);
  return fmt::format("{} ... {}", message.substr(0, kReasonHead), message.substr(message.size() - kReasonTail));
}

// Since 1.29 the official builds tell Microsoft about each session, write an identity of the device and a database into
// the home folder, and run threads for it; where no network leads there the events pile up in memory. A plant's network
// must see none of that. Its own switch in the interface comes too late: the first event leaves when the environment is
// made. The variable is read then, and set here before main(), while there is one thread.
const bool kNothingIsTold = ::setenv("ORT_DISABLE_TELEMETRY", "1", 1) == 0;

// What it would print has been said by the status that it returns.
void ORT_API_CALL drop_log(void* /*parameter*/, OrtLoggingLevel /*severity*/, const char* /*category*/,
                           const char* /*id*/, const char* /*location*/, const char* /*message*/) {}

ErrorCode code_of(OrtErrorCode code, std::string_view message) {
  if (message.contains("bad allocation") || message.contains("bad_alloc") || message.contains("llocate memory")) {
    return ErrorCode::kTooLarge;
  }
  switch (code) {
    case ORT_INVALID_PROTOBUF: return ErrorCode::kCorrupt;
    case ORT_NOT_IMPLEMENTED:
    case ORT_EP_FAIL: return ErrorCode::kUnsupported;
    default: return ErrorCode::kInvalidInput;
  }
}

}  // namespace

const OrtApi& ort() {
  static const OrtApi* const api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  MW_CHECK(api != nullptr, "the ONNX Runtime library is older than the headers of this build");
  return *api;
}

ONNXTensorElementDataType ort_type(onnx::ElementType type) {
  using enum onnx::ElementType;
  switch (type) {
    case kFloat: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case kDouble: return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case kInt64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case kInt32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case kInt16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    case kInt8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case kUint64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64;
    case kUint32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32;
    case kUint16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    case kUint8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case kBool: return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    case kFloat16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case kBfloat16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
    case kString: return ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<OrtEnv*> ort_environment() {
  static const auto made = []() -> Result<OrtEnv*> {
    MW_CHECK(kNothingIsTold, "a variable can be set");
    OrtEnv* env = nullptr;
    MW_ORT("start ONNX Runtime",
           ort().CreateEnvWithCustomLogger(&drop_log, nullptr, ORT_LOGGING_LEVEL_FATAL, "millwright", &env));
    MW_ORT("start ONNX Runtime", ort().DisableTelemetryEvents(env));
    return env;
  }();
  return made;
}

Status ort_status(OrtStatus* status, std::string_view what) {
  if (status == nullptr) return {};
  std::string reason = shortened(ort().GetErrorMessage(status));
  const ErrorCode code = code_of(ort().GetErrorCode(status), reason);
  ort().ReleaseStatus(status);
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return fail(code, "{}: ONNX Runtime: {}", what, reason);
}

std::string runtime_version() { return OrtGetApiBase()->GetVersionString(); }

}  // namespace millwright::inference
