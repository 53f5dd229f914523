// SPDX-License-Identifier: Apache-2.0
#include "inference/compile.h"

#include <cstring>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/random.h"
#include "inference/engine_cache.h"
#include "inference/ort.h"
#include "inference/session.h"
#include "inference/trial.h"

namespace millwright::inference {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int kLoads = 5;

double seconds_since(int64_t start_ns) { return static_cast<double>(SystemClock().monotonic_ns() - start_ns) * 1e-9; }

Result<OwnedSessionOptions> options_of_one_thread() {
  OrtSessionOptions* made = nullptr;
  MW_ORT("session options", ort().CreateSessionOptions(&made));
  OwnedSessionOptions options(made);
  MW_ORT("session options", ort().SetSessionLogSeverityLevel(made, ORT_LOGGING_LEVEL_FATAL));
  MW_ORT("session options", ort().SetIntraOpNumThreads(made, 1));
  MW_ORT("session options", ort().SetSessionGraphOptimizationLevel(made, ORT_ENABLE_ALL));
  return options;
}

// Written beside and renamed, so that nobody finds half of it.
Status write_optimised(std::span<const std::byte> model, const std::filesystem::path& file) {
  OrtEnv* env = MW_TRY(ort_environment());
  const std::filesystem::path fresh = file.string() + ".new";
  const OwnedSessionOptions options = MW_TRY(options_of_one_thread());
  MW_ORT("session options", ort().SetOptimizedModelFilePath(options.get(), fresh.c_str()));
  MW_ORT("session options", ort().AddSessionConfigEntry(options.get(), "session.save_model_format", "ORT"));
  OrtSession* made = nullptr;
  MW_ORT("optimise", ort().CreateSessionFromArray(env, model.data(), model.size(), options.get(), &made));
  const OwnedSession owned(made);
  const Bytes bytes = MW_TRY(read_file(fresh, onnx::Limits{}.max_model_bytes * 2));
  MW_CHECK_OK(write_file_atomic(file, bytes));
  std::error_code ignored;
  std::filesystem::remove(fresh, ignored);
  return {};
}

// The quickest of a few.
Result<double> load_ms(std::span<const std::byte> model) {
  OrtEnv* env = MW_TRY(ort_environment());
  double best = 1e18;
  for (int i = 0; i < kLoads; ++i) {
    const OwnedSessionOptions options = MW_TRY(options_of_one_thread());
    const int64_t start = SystemClock().monotonic_ns();
    OrtSession* made = nullptr;
    MW_ORT("load", ort().CreateSessionFromArray(env, model.data(), model.size(), options.get(), &made));
    const OwnedSession owned(made);
    best = std::min(best, 1e3 * seconds_since(start));
  }
  return best;
}

// The outputs of `built` for the inputs that `session` holds, against those that it has.
Status compare(const Bytes& built, Session& session) {
  OrtEnv* env = MW_TRY(ort_environment());
  const OwnedSessionOptions options = MW_TRY(options_of_one_thread());
  OrtSession* made = nullptr;
  MW_ORT("load", ort().CreateSessionFromArray(env, built.data(), built.size(), options.get(), &made));
  const OwnedSession opened(made);
  OrtMemoryInfo* memory = nullptr;
  MW_ORT("compare", ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  const OwnedMemoryInfo owned_memory(memory);
  std::vector<OwnedValue> owned;
  std::vector<const OrtValue*> inputs;
  std::vector<const char*> input_names;
  std::vector<const char*> output_names;
  for (Session::Tensor& input : session.inputs()) {
    OrtValue* value = nullptr;
    MW_ORT("compare",
           ort().CreateTensorWithDataAsOrtValue(memory, input.data.data(), input.data.size(), input.shape.data(),
                                                input.shape.size(), ort_type(input.type), &value));
    owned.emplace_back(value);
    inputs.push_back(value);
    input_names.push_back(input.name.c_str());
  }
  for (const Session::Tensor& output : session.outputs()) output_names.push_back(output.name.c_str());
  std::vector<OrtValue*> outputs(output_names.size(), nullptr);
  const Status ran = ort_status(ort().Run(opened.get(), nullptr, input_names.data(), inputs.data(), inputs.size(),
                                          output_names.data(), output_names.size(), outputs.data()),
                                "compare");
  for (OrtValue* value : outputs) owned.emplace_back(value);
  MW_CHECK_OK(ran);
  for (size_t i = 0; i < outputs.size(); ++i) {
    void* data = nullptr;
    MW_ORT("compare", ort().GetTensorMutableData(outputs[i], &data));
    const Session::Tensor& expected = session.outputs()[i];
    if (std::memcmp(data, expected.data.data(), expected.data.size()) == 0) continue;
    return fail(ErrorCode::kCorrupt, "output '{}' of the optimised model is not the model's", expected.name);
  }
  return {};
}

Result<Compiled> compile_for_cpu(std::span<const std::byte> model, const std::filesystem::path& folder) {
  Compiled result{.folder = folder};
  const int64_t start = SystemClock().monotonic_ns();
  MW_CHECK_OK(write_optimised(model, folder / "model.ort"));
  result.build_s = seconds_since(start);
  const Bytes built = MW_TRY(read_file(folder / "model.ort", onnx::Limits{}.max_model_bytes * 2));
  Session session = MW_TRY(Session::create(model, 1));
  Random random(kSeed);
  for (const Session::Tensor& input : session.inputs()) {
    if (input.type != onnx::ElementType::kFloat) continue;
    auto* values = reinterpret_cast<float*>(input.data.data());
    for (size_t i = 0; i < input.data.size() / sizeof(float); ++i) values[i] = static_cast<float>(random.normal());
  }
  if (!session.run()) return fail(ErrorCode::kInvalidInput, "model: {}", session.last_error());
  MW_CHECK_OK(compare(built, session));
  result.load_ms = MW_TRY(load_ms(model));
  result.built_load_ms = MW_TRY(load_ms(built));
  return result;
}

}  // namespace

Result<Compiled> compile(std::span<const std::byte> model, const Rung& rung, const CompileOptions& options) {
  MW_CHECK_OK(provider_present(rung.provider));
  (void)MW_TRY(try_model(model));
  const auto folder = MW_TRY(open_engine_folder(options.root, engine_key(sha256(model), rung)));
  if (rung.provider == Provider::kCpu) return compile_for_cpu(model, folder);
  TrialOptions trial;
  trial.session.rung = rung;
  trial.session.rung.cache = folder.string();
  trial.deadline = options.deadline;
  const int64_t start = SystemClock().monotonic_ns();
  const TrialReport built = MW_TRY(try_model(model, trial));
  Compiled result{.folder = folder, .build_s = seconds_since(start), .load_ms = built.load_ms};
  result.built_load_ms = MW_TRY(try_model(model, trial)).load_ms;
  return result;
}

}  // namespace millwright::inference
