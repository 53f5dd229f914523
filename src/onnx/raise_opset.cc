// SPDX-License-Identifier: Apache-2.0
#include "onnx/raise_opset.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millwright::onnx {
namespace {

using namespace std::string_view_literals;

constexpr int64_t kAxesAreInputs = 13;  // of Squeeze, Unsqueeze and ReduceSum; and "split" of Split
constexpr int64_t kSoftmaxIsOneAxis = 13;
constexpr int64_t kBatchNormForInference = 14;
constexpr int64_t kRoiAlignHalfPixel = 16;

// An attribute becomes the second input.
void to_input(Graph& graph, Node& node, std::string_view attribute) {
  const Attribute* found = node.find(attribute);
  if (found == nullptr || node.inputs.size() > 1) return;
  const std::vector<int64_t> values = found->ints;
  const std::string name = graph.fresh_name(node.name + "_" + std::string(attribute));
  graph.constants[name] = tensor(std::span<const int64_t>(values), {static_cast<int64_t>(values.size())});
  node.inputs.push_back(name);
  node.remove(attribute);
}

// Before, all axes from the named one on were one; now it is that axis alone. Equal where it is the last.
Status softmax(const Graph& graph, Node& node) {
  const ValueInfo* input = graph.value(node.inputs.at(0));
  const int64_t axis = node.int_or("axis", 1);
  const auto rank = input == nullptr ? 0 : static_cast<int64_t>(input->shape.size());
  if (axis != -1 && (rank == 0 || axis != rank - 1)) {
    return fail(ErrorCode::kUnsupported,
                "{}: over several axes, or over one that is not known to be the last; export the model with opset {}",
                node.describe(), kWrittenOpset);
  }
  Attribute last;
  last.name = "axis";
  last.i = -1;
  node.set(last);
  return {};
}

Status raise(Graph& graph, Node& node, int64_t from) {
  if (!node.domain.empty()) return {};
  if (from < kAxesAreInputs) {
    if (node.op == "Squeeze" || node.op == "Unsqueeze" || node.op == "ReduceSum") to_input(graph, node, "axes");
    if (node.op == "Split") to_input(graph, node, "split");
  }
  if (from < kSoftmaxIsOneAxis && (node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "Hardmax")) {
    MW_CHECK_OK(softmax(graph, node));
  }
  if (from < kBatchNormForInference && node.op == "BatchNormalization" && node.outputs.size() > 1) {
    return fail(ErrorCode::kUnsupported, "{}: it is in training mode; export the model for inference", node.describe());
  }
  if (from < kRoiAlignHalfPixel && node.op == "RoiAlign") {
    Attribute mode;
    mode.name = "coordinate_transformation_mode";
    mode.kind = Attribute::Kind::kString;
    mode.s = "output_half_pixel";
    node.set(mode);
  }
  if (!node.captured.empty()) {
    return fail(ErrorCode::kUnsupported, "{}: it has a subgraph; export the model with opset {}", node.describe(),
                kWrittenOpset);
  }
  return {};
}

}  // namespace

Status raise_opset(Graph& graph) {
  const int64_t from = graph.opset();
  if (from >= kWrittenOpset) return {};
  if (from < kOldestOpset) {
    return fail(ErrorCode::kUnsupported, "model: operator set {}; {} and newer are taken: export it with opset {}",
                from, kOldestOpset, kWrittenOpset);
  }
  for (Node& node : graph.nodes) MW_CHECK_OK(raise(graph, node, from));
  graph.set_opset("", kWrittenOpset);
  return {};
}

}  // namespace millwright::onnx
