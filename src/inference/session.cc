// SPDX-License-Identifier: Apache-2.0
#include "inference/session.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"
#include "inference/ort.h"
#include "inference/provider.h"
#include "inference/shapes.h"

namespace millwright::inference {
namespace {

constexpr size_t kMaxErrorBytes = 384;
constexpr size_t kAlignment = 64;  // a cache line, and what AVX-512 loads

struct FreeAligned {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<std::byte, FreeAligned>;

Result<AlignedMemory> aligned_zeros(size_t bytes, const std::string& where) {
  const size_t rounded = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (memory == nullptr) return fail(ErrorCode::kTooLarge, "model: no memory for {} ({} bytes)", where, bytes);
  std::memset(memory, 0, rounded);
  return AlignedMemory(memory);
}

Result<onnx::ElementType> element_type(ONNXTensorElementDataType type, const std::string& where) {
  using enum onnx::ElementType;
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return kFloat;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return kDouble;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return kInt64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return kInt32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16: return kInt16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8: return kInt8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64: return kUint64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32: return kUint32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16: return kUint16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: return kUint8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return kBool;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: return kFloat16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16: return kBfloat16;
    default: return fail(ErrorCode::kUnsupported, "model: {} is of a type that is not supported", where);
  }
}

struct OutputShape {
  onnx::ElementType type;
  std::vector<int64_t> shape;  // with -1 where ONNX Runtime does not know it before it runs
};

Result<OutputShape> read_shape(const OrtTensorTypeAndShapeInfo* info, const std::string& where) {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  size_t rank = 0;
  MW_ORT(where, ort().GetTensorElementType(info, &type));
  MW_ORT(where, ort().GetDimensionsCount(info, &rank));
  OutputShape out{.type = MW_TRY(element_type(type, where)), .shape = std::vector<int64_t>(rank)};
  MW_ORT(where, ort().GetDimensions(info, out.shape.data(), rank));
  return out;
}

}  // namespace

struct Session::Impl {
  OwnedSession session;
  size_t batch = 1;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<AlignedMemory> memory;
  std::vector<OwnedValue> values;
  std::vector<const char*> input_names;   // into inputs, which no longer grow
  std::vector<const char*> output_names;  // into the summary; only while the session is made
  std::vector<const OrtValue*> input_values;
  std::vector<OrtValue*> output_values;
  OwnedRunOptions run_options;
  OwnedBinding binding;    // declared after, hence released before, all that it refers to
  std::string last_error;  // never longer than kMaxErrorBytes, which are reserved
  Provider provider = Provider::kCpu;

  Status open(std::span<const std::byte> bytes, const FixedShapes& shapes, const SessionOptions& options);
  Status bind(Tensor tensor, const onnx::Limits& limits, std::vector<Tensor>& list, OrtValue*& bound);
  Status bind_inputs(const FixedShapes& shapes, const onnx::Limits& limits);
  Status bind_outputs(const onnx::Summary& model, const onnx::Limits& limits);
  Result<std::vector<OutputShape>> output_shapes(const onnx::Summary& model);
  Status measure_outputs(std::vector<OutputShape>& shapes);
  Status tie();
  void keep_error(std::string_view reason) noexcept;
};

// On the stroke path: within what is reserved, so that it does not allocate. The reason is often at the end.
void Session::Impl::keep_error(std::string_view reason) noexcept {
  constexpr std::string_view kWhat = "run: ONNX Runtime: ";
  constexpr std::string_view kGap = " ... ";
  constexpr size_t kHead = 80;
  constexpr size_t kTail = kMaxErrorBytes - kWhat.size() - kHead - kGap.size();
  last_error.assign(kWhat);
  if (reason.size() > kHead + kTail) {
    last_error.append(reason.substr(0, kHead)).append(kGap);
    reason.remove_prefix(reason.size() - kTail);
  }
  last_error.append(reason);
  for (char& c : last_error) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
}

Status Session::Impl::open(std::span<const std::byte> bytes, const FixedShapes& shapes, const SessionOptions& options) {
  OrtEnv* env = MW_TRY(ort_environment());
  OrtSessionOptions* made = nullptr;
  MW_ORT("session options", ort().CreateSessionOptions(&made));
  const OwnedSessionOptions config(made);
  MW_ORT("session options", ort().SetSessionLogSeverityLevel(made, ORT_LOGGING_LEVEL_FATAL));
  MW_ORT("session options", ort().SetIntraOpNumThreads(made, options.threads));
  MW_ORT("session options", ort().SetInterOpNumThreads(made, 1));
  MW_ORT("session options", ort().SetSessionExecutionMode(made, ORT_SEQUENTIAL));
  MW_ORT("session options", ort().SetSessionGraphOptimizationLevel(made, ORT_ENABLE_ALL));
  // A waiting pool would burn a core between strokes.
  MW_ORT("session options", ort().AddSessionConfigEntry(made, "session.intra_op.allow_spinning", "0"));
  MW_ORT("session options", ort().AddSessionConfigEntry(made, "session.inter_op.allow_spinning", "0"));
  if (!options.profile.empty()) {
    MW_ORT("session options", ort().EnableProfiling(made, options.profile.c_str()));
  }
  if (options.disable_arena) MW_ORT("session options", ort().DisableCpuMemArena(made));
  MW_CHECK_OK(append_provider(made, options.rung));
  provider = options.rung.provider;
  if (provider != Provider::kCpu && !options.rung.partial) {
    MW_ORT("session options", ort().AddSessionConfigEntry(made, "session.disable_cpu_ep_fallback", "1"));
  }
  for (const auto& [name, size] : shapes.symbols) {
    MW_ORT("session options", ort().AddFreeDimensionOverrideByName(made, name.c_str(), size));
  }
  OrtSession* opened = nullptr;
  MW_ORT("load model", ort().CreateSessionFromArray(env, bytes.data(), bytes.size(), made, &opened));
  session.reset(opened);
  return {};
}

Status Session::Impl::bind(Tensor tensor, const onnx::Limits& limits, std::vector<Tensor>& list, OrtValue*& bound) {
  const std::string where = fmt::format("'{}'", tensor.name);
  const size_t bytes = MW_TRY(tensor_bytes(tensor.type, tensor.shape, limits, where));
  memory.push_back(MW_TRY(aligned_zeros(bytes, where)));
  tensor.data = {memory.back().get(), bytes};
  OrtMemoryInfo* made = nullptr;
  MW_ORT(where, ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &made));
  const OwnedMemoryInfo info(made);
  OrtValue* value = nullptr;
  MW_ORT(where, ort().CreateTensorWithDataAsOrtValue(made, tensor.data.data(), bytes, tensor.shape.data(),
                                                     tensor.shape.size(), ort_type(tensor.type), &value));
  values.emplace_back(value);
  bound = value;
  list.push_back(std::move(tensor));
  return {};
}

Status Session::Impl::bind_inputs(const FixedShapes& shapes, const onnx::Limits& limits) {
  for (const FixedInput& input : shapes.inputs) {
    OrtValue* bound = nullptr;
    MW_CHECK_OK(
        bind({.name = input.name, .type = input.type, .shape = input.shape, .data = {}}, limits, inputs, bound));
    input_values.push_back(bound);
  }
  for (const Tensor& tensor : inputs) input_names.push_back(tensor.name.c_str());
  return {};
}

Result<std::vector<OutputShape>> Session::Impl::output_shapes(const onnx::Summary& model) {
  std::vector<OutputShape> shapes;
  bool known = true;
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    const std::string where = fmt::format("output '{}'", model.outputs[i].name);
    OrtTypeInfo* made = nullptr;
    MW_ORT(where, ort().SessionGetOutputTypeInfo(session.get(), i, &made));
    const OwnedTypeInfo type(made);
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    MW_ORT(where, ort().CastTypeInfoToTensorInfo(type.get(), &info));
    if (info == nullptr) return fail(ErrorCode::kUnsupported, "model: {} is not a tensor", where);
    shapes.push_back(MW_TRY(read_shape(info, where)));
    for (const int64_t dim : shapes.back().shape) known = known && dim >= 0;
    // A rank that nobody stated reads as 0 dimensions, the same as a scalar.
    known = known && !shapes.back().shape.empty();
  }
  if (!known) MW_CHECK_OK(measure_outputs(shapes));
  return shapes;
}

// Runs once on zeros and lets ONNX Runtime allocate, to learn shapes that the graph alone does not tell.
Status Session::Impl::measure_outputs(std::vector<OutputShape>& shapes) {
  std::vector<OrtValue*> made(shapes.size(), nullptr);
  const Status ran = ort_status(ort().Run(session.get(), nullptr, input_names.data(), input_values.data(),
                                          input_values.size(), output_names.data(), output_names.size(), made.data()),
                                "first run on zeros");
  std::vector<OwnedValue> owned;
  owned.reserve(made.size());
  for (OrtValue* value : made) owned.emplace_back(value);
  MW_CHECK_OK(ran);
  for (size_t i = 0; i < shapes.size(); ++i) {
    OrtTensorTypeAndShapeInfo* info = nullptr;
    MW_ORT("first run on zeros", ort().GetTensorTypeAndShape(owned[i].get(), &info));
    const OwnedShape shape(info);
    shapes[i] = MW_TRY(read_shape(info, fmt::format("output {}", i)));
  }
  return {};
}

Status Session::Impl::bind_outputs(const onnx::Summary& model, const onnx::Limits& limits) {
  for (const onnx::ValueInfo& output : model.outputs) output_names.push_back(output.name.c_str());
  const std::vector<OutputShape> shapes = MW_TRY(output_shapes(model));
  for (size_t i = 0; i < shapes.size(); ++i) {
    OrtValue* bound = nullptr;
    MW_CHECK_OK(bind({.name = model.outputs[i].name, .type = shapes[i].type, .shape = shapes[i].shape, .data = {}},
                     limits, outputs, bound));
    output_values.push_back(bound);
  }
  return {};
}

// Names are looked up once, here: 0.5 us less per run than passing names and values each time.
Status Session::Impl::tie() {
  OrtRunOptions* made_options = nullptr;
  MW_ORT("bind tensors", ort().CreateRunOptions(&made_options));
  run_options.reset(made_options);
  OrtIoBinding* made_binding = nullptr;
  MW_ORT("bind tensors", ort().CreateIoBinding(session.get(), &made_binding));
  binding.reset(made_binding);
  for (size_t i = 0; i < inputs.size(); ++i) {
    MW_ORT("bind tensors", ort().BindInput(made_binding, inputs[i].name.c_str(), input_values[i]));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    MW_ORT("bind tensors", ort().BindOutput(made_binding, outputs[i].name.c_str(), output_values[i]));
  }
  return {};
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<Session> Session::create(std::span<const std::byte> bytes, size_t batch, const SessionOptions& options) {
  try {
    onnx::Summary model;
    {
      // The parsed model goes before ONNX Runtime makes its own, so that only one is held at a time.
      const onnx::Model parsed = MW_TRY(onnx::Model::parse(bytes, options.limits));
      model = parsed.summary();
    }
    const FixedShapes shapes = MW_TRY(fix_shapes(model, batch, options.limits));
    auto impl = std::make_unique<Impl>();
    impl->batch = batch;
    impl->last_error.reserve(kMaxErrorBytes);
    MW_CHECK_OK(impl->open(bytes, shapes, options));
    MW_CHECK_OK(impl->bind_inputs(shapes, options.limits));
    MW_CHECK_OK(impl->bind_outputs(model, options.limits));
    MW_CHECK_OK(impl->tie());
    malloc_trim(0);  // loading leaves free pages behind; the box is small
    return Session(std::move(impl));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kTooLarge, "load model: out of memory");
  }
}

std::span<Session::Tensor> Session::inputs() { return impl_->inputs; }
std::span<Session::Tensor> Session::outputs() { return impl_->outputs; }

std::span<float> Session::input_floats(size_t index) {
  MW_CHECK(index < impl_->inputs.size() && impl_->inputs[index].type == onnx::ElementType::kFloat, "no float input");
  const std::span<std::byte> data = impl_->inputs[index].data;
  return {reinterpret_cast<float*>(data.data()), data.size() / sizeof(float)};
}

std::span<const float> Session::output_floats(size_t index) const {
  MW_CHECK(index < impl_->outputs.size() && impl_->outputs[index].type == onnx::ElementType::kFloat, "no float output");
  const std::span<const std::byte> data = impl_->outputs[index].data;
  return {reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)};
}

bool Session::run() noexcept {
  Impl& i = *impl_;
  OrtStatus* status = ort().RunWithBinding(i.session.get(), i.run_options.get(), i.binding.get());
  if (status == nullptr) [[likely]] {
    i.last_error.clear();
    return true;
  }
  i.keep_error(ort().GetErrorMessage(status));
  ort().ReleaseStatus(status);
  return false;
}

const std::string& Session::last_error() const { return impl_->last_error; }
size_t Session::batch() const { return impl_->batch; }
Provider Session::provider() const { return impl_->provider; }

}  // namespace millwright::inference
