// SPDX-License-Identifier: Apache-2.0
// What ONNX Runtime makes of a model before it runs it, as a model again.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "onnx/graph.h"
#include "onnx/model.h"

namespace millwright::inference {

// Constants and BatchNorm folded, what does nothing taken out, types and shapes inferred, standard operators only: what
// a pass over the graph begins with. Errors as Session::create. Runs what it folds: try the model first.
Result<onnx::Graph> prepared_graph(std::span<const std::byte> model, const onnx::Limits& limits = {});

// Puts types and shapes of all values between into graph.values, as far as they follow from the graph. Errors as
// Session::create.
Status infer_values(onnx::Graph& graph);

// The model as it is, every dimension of its inputs that has no fixed size set to 1 and all shapes that follow from
// that put in: what work_of() counts on. `dynamic` names the inputs that had one. Errors as Session::create; loads the
// model: try it first.
struct ShapedGraph {
  onnx::Graph graph;
  std::vector<std::string> dynamic;
};
Result<ShapedGraph> shaped_graph(std::span<const std::byte> model, const onnx::Limits& limits = {});

enum class KernelKind : uint8_t {
  kInteger,    // a product or convolution that calculates with integers
  kFloat,      // one that does not
  kConverter,  // QuantizeLinear or DequantizeLinear between kernels
  kOther,
};
std::string_view name(KernelKind kind);       // "integer", "float", "converter", "other"
KernelKind kernel_kind(std::string_view op);  // of "Conv" as of "com.microsoft.FusedConv"

struct Kernel {
  std::string name;    // the runtime's, which mostly begins with the node's in the model
  std::string op;      // "Conv" or "com.microsoft.FusedConv"
  std::string result;  // the first value that it makes
  KernelKind kind = KernelKind::kOther;
};

// The kernels that would run on the CPU, counted by "Operator" or "domain.Operator".
struct Kernels {
  std::vector<Kernel> nodes;  // of the main graph, in the order in which they are stored
  std::map<std::string, uint64_t> counts;
  uint64_t integer = 0;       // of the kinds that can be quantised, those that calculate with integers
  uint64_t left_float = 0;    // of the same kinds, those that do not
  uint64_t unfused_conv = 0;  // convolutions among the latter
  uint64_t converters = 0;    // QuantizeLinear and DequantizeLinear left between kernels
};
Result<Kernels> kernels(std::span<const std::byte> model, const onnx::Limits& limits = {});

}  // namespace millwright::inference
