// SPDX-License-Identifier: Apache-2.0
#include "inference/optimised.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/descriptor.h"
#include "inference/ort.h"
#include "onnx/types.h"

namespace millwright::inference {
namespace {

using namespace std::string_view_literals;

// Convolution and matrix product, whatever the runtime calls them once it has fused and laid them out anew.
constexpr std::array kFloatKinds = {"Conv"sv,        "ConvTranspose"sv, "FusedConv"sv, "FusedGemm"sv,
                                    "FusedMatMul"sv, "Gemm"sv,          "MatMul"sv,    "NhwcFusedConv"sv};
constexpr std::array kIntegerKinds = {
    "ConvInteger"sv, "DynamicQuantizeMatMul"sv, "MatMulInteger"sv, "MatMulIntegerToFloat"sv,
    "QGemm"sv,       "QLinearConv"sv,           "QLinearMatMul"sv};

Result<OwnedSessionOptions> plain_options(GraphOptimizationLevel level) {
  OrtSessionOptions* made = nullptr;
  MW_ORT("session options", ort().CreateSessionOptions(&made));
  OwnedSessionOptions options(made);
  MW_ORT("session options", ort().SetSessionLogSeverityLevel(made, ORT_LOGGING_LEVEL_FATAL));
  MW_ORT("session options", ort().SetIntraOpNumThreads(made, 1));
  MW_ORT("session options", ort().SetSessionGraphOptimizationLevel(made, level));
  return options;
}

Result<OwnedSession> load(std::span<const std::byte> model, const OwnedSessionOptions& options) {
  OrtEnv* env = MW_TRY(ort_environment());
  OrtSession* opened = nullptr;
  MW_ORT("load model", ort().CreateSessionFromArray(env, model.data(), model.size(), options.get(), &opened));
  return OwnedSession(opened);
}

// The runtime writes to a path only; this one leaves nothing behind.
Result<Bytes> optimised(std::span<const std::byte> model, GraphOptimizationLevel level) {
  const Descriptor file(::memfd_create("optimised.onnx", MFD_CLOEXEC));
  if (!file.valid()) return fail(ErrorCode::kIo, "optimise: no memory file: {}", std::strerror(errno));
  const std::string path = fmt::format("/proc/self/fd/{}", file.get());
  const OwnedSessionOptions options = MW_TRY(plain_options(level));
  MW_ORT("session options", ort().SetOptimizedModelFilePath(options.get(), path.c_str()));
  (void)MW_TRY(load(model, options));
  return read_file(path, onnx::Limits{}.max_model_bytes);
}

// Type and shape of an output; nullopt where it is no tensor or its rank is unknown.
Result<std::optional<onnx::ValueInfo>> output_info(OrtSession* session, size_t index, const std::string& name) {
  OrtTypeInfo* made = nullptr;
  MW_ORT(name, ort().SessionGetOutputTypeInfo(session, index, &made));
  const OwnedTypeInfo type(made);
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  MW_ORT(name, ort().CastTypeInfoToTensorInfo(type.get(), &info));
  if (info == nullptr) return std::nullopt;
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  size_t rank = 0;
  MW_ORT(name, ort().GetTensorElementType(info, &element));
  MW_ORT(name, ort().GetDimensionsCount(info, &rank));
  // The runtime numbers element types as ONNX does.
  const auto known = onnx::element_type_from(static_cast<int32_t>(element));
  // A rank that nobody knows reads as 0 dimensions, the same as a scalar.
  if (rank == 0 || !known) return std::nullopt;
  std::vector<int64_t> sizes(rank);
  std::vector<const char*> symbols(rank);
  MW_ORT(name, ort().GetDimensions(info, sizes.data(), rank));
  MW_ORT(name, ort().GetSymbolicDimensions(info, symbols.data(), rank));
  onnx::ValueInfo out{.name = name, .type = *known, .shape = {}};
  for (size_t i = 0; i < rank; ++i) {
    out.shape.push_back(sizes[i] >= 0 ? onnx::Dim(sizes[i]) : onnx::Dim(std::string(symbols[i])));
  }
  return out;
}

// Types and shapes of all values that nodes make, as far as they follow from the graph.
Result<std::map<std::string, onnx::ValueInfo>> inferred_values(const onnx::Graph& graph) {
  const Bytes open = graph.serialize_open();
  const OwnedSession session = MW_TRY(load(open, MW_TRY(plain_options(ORT_DISABLE_ALL))));
  size_t count = 0;
  MW_ORT("outputs", ort().SessionGetOutputCount(session.get(), &count));
  OrtAllocator* allocator = nullptr;
  MW_ORT("outputs", ort().GetAllocatorWithDefaultOptions(&allocator));
  std::map<std::string, onnx::ValueInfo> out;
  for (size_t i = 0; i < count; ++i) {
    char* text = nullptr;
    MW_ORT("outputs", ort().SessionGetOutputName(session.get(), i, allocator, &text));
    const std::string name(text);
    allocator->Free(allocator, text);
    if (auto info = MW_TRY(output_info(session.get(), i, name))) out.emplace(name, *std::move(info));
  }
  return out;
}

}  // namespace

std::string_view name(KernelKind kind) {
  constexpr std::array kNames = {"integer"sv, "float"sv, "converter"sv, "other"sv};
  return kNames[static_cast<size_t>(kind)];
}

KernelKind kernel_kind(std::string_view op) {
  op = op.substr(op.rfind('.') + 1);
  if (std::ranges::find(kIntegerKinds, op) != kIntegerKinds.end()) return KernelKind::kInteger;
  if (std::ranges::find(kFloatKinds, op) != kFloatKinds.end()) return KernelKind::kFloat;
  return op == "QuantizeLinear" || op == "DequantizeLinear" ? KernelKind::kConverter : KernelKind::kOther;
}

Status infer_values(onnx::Graph& graph) {
  for (auto& [name, info] : MW_TRY(inferred_values(graph))) graph.values.insert_or_assign(name, std::move(info));
  for (const auto& output : graph.outputs) graph.values.erase(output.name);
  return {};
}

Result<ShapedGraph> shaped_graph(std::span<const std::byte> model, const onnx::Limits& limits) {
  ShapedGraph out{.graph = MW_TRY(onnx::Graph::parse(model, limits)), .dynamic = {}};
  for (onnx::ValueInfo& input : out.graph.inputs) {
    if (std::ranges::all_of(input.shape, [](const onnx::Dim& dim) { return dim.size >= 0; })) continue;
    out.dynamic.push_back(input.name);
    for (onnx::Dim& dim : input.shape) {
      if (dim.size < 0) dim = onnx::Dim(1);
    }
  }
  // What the file states of values between may name the dimensions that have a size now.
  if (!out.dynamic.empty()) out.graph.values.clear();
  auto values = MW_TRY(inferred_values(out.graph));
  for (onnx::ValueInfo& output : out.graph.outputs) {
    const auto found = values.find(output.name);
    if (found == values.end()) continue;
    output = std::move(found->second);
    values.erase(found);
  }
  for (auto& [name, info] : values) out.graph.values.insert_or_assign(name, std::move(info));
  return out;
}

Result<onnx::Graph> prepared_graph(std::span<const std::byte> model, const onnx::Limits& limits) {
  (void)MW_TRY(onnx::Model::parse(model, limits));
  const Bytes folded = MW_TRY(optimised(model, ORT_ENABLE_BASIC));
  // The runtime imports every domain that it knows.
  onnx::Limits ours = limits;
  ours.any_operator = true;
  onnx::Graph graph = MW_TRY_IN("after folding", onnx::Graph::parse(folded, ours));
  graph.drop_unused_domains();
  MW_CHECK_OK(infer_values(graph));
  return graph;
}

Result<Kernels> kernels(std::span<const std::byte> model, const onnx::Limits& limits) {
  (void)MW_TRY(onnx::Model::parse(model, limits));
  const Bytes final_form = MW_TRY(optimised(model, ORT_ENABLE_ALL));
  onnx::Limits ours = limits;
  ours.any_operator = true;
  Kernels out;
  {
    // One reading of the file at a time: it may be large.
    const onnx::Model parsed = MW_TRY_IN("optimised model", onnx::Model::parse(final_form, ours));
    out.counts = parsed.summary().operators;
  }
  for (const auto& [op, count] : out.counts) {
    switch (kernel_kind(op)) {
      case KernelKind::kInteger: out.integer += count; break;
      case KernelKind::kConverter: out.converters += count; break;
      case KernelKind::kOther: break;
      case KernelKind::kFloat:
        out.left_float += count;
        if (op.find("Conv") != std::string_view::npos) out.unfused_conv += count;
    }
  }
  const onnx::Graph graph = MW_TRY_IN("optimised model", onnx::Graph::parse(final_form, ours));
  for (const onnx::Node& node : graph.nodes) {
    const std::string op = node.domain.empty() ? node.op : node.domain + "." + node.op;
    out.nodes.push_back(
        {.name = node.name, .op = op, .result = node.outputs.empty() ? "" : node.outputs[0], .kind = kernel_kind(op)});
  }
  return out;
}

}  // namespace millwright::inference
