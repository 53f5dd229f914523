// SPDX-License-Identifier: Apache-2.0
#include "inference/provider.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.h"
#include "inference/session.h"

namespace millwright::inference {
namespace {

using CudaOptions = std::unique_ptr<OrtCUDAProviderOptionsV2, OrtRelease<&OrtApi::ReleaseCUDAProviderOptions>>;
using TensorRtOptions =
    std::unique_ptr<OrtTensorRTProviderOptionsV2, OrtRelease<&OrtApi::ReleaseTensorRTProviderOptions>>;

// Keys and values as ONNX Runtime takes them: two arrays of C strings.
class Settings {
 public:
  void set(std::string key, std::string value) {
    keys_.push_back(std::move(key));
    values_.push_back(std::move(value));
  }
  void flag(std::string key, bool on) { set(std::move(key), on ? "1" : "0"); }

  [[nodiscard]] static std::vector<const char*> pointers(const std::vector<std::string>& texts) {
    std::vector<const char*> result;
    result.reserve(texts.size());
    for (const std::string& text : texts) result.push_back(text.c_str());
    return result;
  }
  [[nodiscard]] std::vector<const char*> keys() const { return pointers(keys_); }
  [[nodiscard]] std::vector<const char*> values() const { return pointers(values_); }

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> values_;
};

// Where ONNX Runtime looks for its providers: beside its own library.
std::filesystem::path runtime_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&OrtGetApiBase), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  return std::filesystem::canonical(info.dli_fname, ignored).parent_path();
}

bool listed(std::string_view provider) {
  char** names = nullptr;
  int count = 0;
  OrtStatus* const status = ort().GetAvailableProviders(&names, &count);
  if (status != nullptr) {
    ort().ReleaseStatus(status);
    return false;
  }
  const bool found = std::ranges::any_of(std::span(names, static_cast<size_t>(count)),
                                         [&](const char* name) { return provider == name; });
  if (OrtStatus* const released = ort().ReleaseAvailableProviders(names, count)) ort().ReleaseStatus(released);
  return found;
}

// Names of the settings: ONNX Runtime's documentation of each provider.
Settings cuda_settings(const Rung& rung) {
  Settings s;
  s.set("device_id", std::to_string(rung.device_id));
  s.flag("use_tf32", rung.fp16);
  return s;
}

Settings tensorrt_settings(const Rung& rung) {
  Settings s;
  s.set("device_id", std::to_string(rung.device_id));
  s.flag("trt_fp16_enable", rung.fp16);
  s.flag("trt_int8_enable", rung.int8);
  if (rung.workspace_bytes != 0) s.set("trt_max_workspace_size", std::to_string(rung.workspace_bytes));
  if (!rung.calibration_table.empty()) {
    s.set("trt_int8_calibration_table_name", rung.calibration_table);
    s.flag("trt_int8_use_native_calibration_table", rung.calibration_table.ends_with(".cache"));
  }
  if (!rung.cache.empty()) {
    s.flag("trt_engine_cache_enable", true);
    s.set("trt_engine_cache_path", rung.cache);
    s.flag("trt_timing_cache_enable", true);
    s.set("trt_timing_cache_path", rung.cache);
  }
  return s;
}

Settings openvino_settings(const Rung& rung) {
  Settings s;
  s.set("device_type", "CPU");
  s.set("precision", rung.fp16 ? "FP16" : "FP32");
  s.set("num_of_threads", "1");
  if (!rung.cache.empty()) s.set("cache_dir", rung.cache);
  return s;
}

Status append_cuda(OrtSessionOptions* options, const Settings& settings) {
  OrtCUDAProviderOptionsV2* made = nullptr;
  MW_ORT("CUDA", ort().CreateCUDAProviderOptions(&made));
  const CudaOptions owned(made);
  const auto keys = settings.keys();
  const auto values = settings.values();
  MW_ORT("CUDA", ort().UpdateCUDAProviderOptions(made, keys.data(), values.data(), keys.size()));
  MW_ORT("CUDA", ort().SessionOptionsAppendExecutionProvider_CUDA_V2(options, made));
  return {};
}

Status append_tensorrt(OrtSessionOptions* options, const Settings& settings) {
  OrtTensorRTProviderOptionsV2* made = nullptr;
  MW_ORT("TensorRT", ort().CreateTensorRTProviderOptions(&made));
  const TensorRtOptions owned(made);
  const auto keys = settings.keys();
  const auto values = settings.values();
  MW_ORT("TensorRT", ort().UpdateTensorRTProviderOptions(made, keys.data(), values.data(), keys.size()));
  MW_ORT("TensorRT", ort().SessionOptionsAppendExecutionProvider_TensorRT_V2(options, made));
  return {};
}

Status append_openvino(OrtSessionOptions* options, const Settings& settings) {
  const auto keys = settings.keys();
  const auto values = settings.values();
  MW_ORT("OpenVINO",
         ort().SessionOptionsAppendExecutionProvider_OpenVINO_V2(options, keys.data(), values.data(), keys.size()));
  return {};
}

Status append(OrtSessionOptions* options, const Rung& rung) {
  switch (rung.provider) {
    case Provider::kCpu: return {};
    case Provider::kCuda: return append_cuda(options, cuda_settings(rung));
    case Provider::kTensorRt: return append_tensorrt(options, tensorrt_settings(rung));
    case Provider::kOpenVino: return append_openvino(options, openvino_settings(rung));
  }
  return {};
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line.empty() ? "unknown" : line;
}

std::string gpu_driver() {
  const std::string nvidia = first_line("/proc/driver/nvidia/version");
  return nvidia == "unknown" ? first_line("/etc/nv_tegra_release") : nvidia;  // the latter on a Jetson
}

std::string gpu_model() {
  std::error_code none;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
    return first_line(gpu.path() / "information");
  }
  return first_line("/proc/device-tree/model");
}

// The number that the library says of itself; it stays loaded, since the provider needs it anyway.
std::string tensorrt_version() {
  for (const char* name : {"libnvinfer.so.10", "libnvinfer.so.8"}) {
    void* const library = ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) continue;
    auto* const version = reinterpret_cast<int (*)()>(::dlsym(library, "getInferLibVersion"));
    return version == nullptr ? "unknown" : std::to_string(version());
  }
  return "unknown";
}

}  // namespace

Status provider_present(Provider provider) {
  if (provider == Provider::kCpu) return {};
  const std::string_view called = runtime_name(provider);
  if (!listed(called)) {
    return fail(ErrorCode::kUnsupported,
                "{}: this ONNX Runtime {} was built without it; set ONNXRUNTIME_ROOT to one that was built with it, or "
                "take '{}' out of the list of providers",
                called, runtime_version(), short_name(provider));
  }
  const std::filesystem::path folder = runtime_folder();
  for (const std::string& library : {std::string("libonnxruntime_providers_shared.so"),
                                     fmt::format("libonnxruntime_providers_{}.so", short_name(provider))}) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / library, ignored)) continue;
    return fail(ErrorCode::kUnsupported,
                "{}: {} is not in {}; put the provider's libraries of ONNX Runtime {} there, or take '{}' out of the "
                "list of providers",
                called, library, folder.string(), runtime_version(), short_name(provider));
  }
  return {};
}

Status append_provider(OrtSessionOptions* options, const Rung& rung) {
  MW_CHECK_OK(provider_present(rung.provider));
  const Status done = append(options, rung);
  if (done) return {};
  return fail(ErrorCode::kUnsupported, "{}: its library is there and cannot be used: {}", runtime_name(rung.provider),
              done.error().message);
}

std::string provider_versions(const Rung& rung) {
  const bool tensorrt = rung.provider == Provider::kTensorRt;
  const bool gpu = tensorrt || rung.provider == Provider::kCuda;
  return fmt::format(
      "{}; ONNX Runtime {}; TensorRT {}; driver {}; GPU {} number {}; fp16 {}; int8 {}; workspace {}; "
      "calibration {}",
      runtime_name(rung.provider), runtime_version(), tensorrt ? tensorrt_version() : "-", gpu ? gpu_driver() : "-",
      gpu ? gpu_model() : "-", rung.device_id, rung.fp16, rung.int8, rung.workspace_bytes, rung.calibration_table);
}

}  // namespace millwright::inference
