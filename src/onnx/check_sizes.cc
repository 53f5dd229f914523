// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>

#include "onnx/check.h"
#include "onnx/size_rules.h"

namespace millwright::onnx {
namespace {

constexpr double kBytesPerElement = 4.0;  // most results are floats; a bound, not an account

class SizeWalk {
 public:
  explicit SizeWalk(const Limits& limits) : limits_(limits) {}

  Status graph(const wire::GraphProto& graph) {
    for (const auto& info : graph.input()) known_[info.name()] = of_input(info);
    for (const auto& tensor : graph.initializer()) known_[tensor.name()] = known_tensor(tensor);
    for (int i = 0; i < graph.node_size(); ++i) MW_CHECK_OK(node(graph.node(i), i));
    return {};
  }

 private:
  // An open dimension is at least 1; an input without a shape counts as a scalar.
  static Known of_input(const wire::ValueInfoProto& info) {
    Known out;
    for (const auto& dim : info.type().tensor_type().shape().dim()) {
      out.shape.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? static_cast<double>(dim.dim_value()) : 1.0);
    }
    return out;
  }

  Status node(const wire::NodeProto& node, int index) {
    std::vector<const Known*> inputs;
    inputs.reserve(static_cast<size_t>(node.input_size()));
    for (const auto& input : node.input()) {
      const auto found = input.empty() ? known_.end() : known_.find(input);
      inputs.push_back(found == known_.end() ? nullptr : &found->second);
    }
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) MW_CHECK_OK(graph(attribute.g()));
      for (const auto& nested : attribute.graphs()) MW_CHECK_OK(graph(nested));
    }
    auto result = infer(node, inputs);
    if (!result || node.output_size() == 0 || node.output(0).empty()) return {};
    const double bytes = elements(result->shape) * kBytesPerElement;
    // Written so that a NaN is refused as well.
    if (!(bytes <= static_cast<double>(limits_.max_tensor_bytes))) {
      return fail(ErrorCode::kTooLarge, "{}: its result would take about {:.3g} bytes, more than the limit of {}",
                  describe(node, index), bytes, limits_.max_tensor_bytes);
    }
    if (result->shape.size() > limits_.max_rank) {
      return fail(ErrorCode::kTooLarge, "{}: its result has rank {}, more than the limit of {}", describe(node, index),
                  result->shape.size(), limits_.max_rank);
    }
    known_[node.output(0)] = std::move(*result);
    return {};
  }

  const Limits& limits_;
  std::unordered_map<std::string_view, Known> known_;
};

}  // namespace

Status check_sizes(const wire::GraphProto& graph, const Limits& limits) { return SizeWalk(limits).graph(graph); }

}  // namespace millwright::onnx
