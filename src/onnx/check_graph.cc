// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <vector>

#include "onnx/check.h"
#include "onnx/operators.h"
#include "onnx/types.h"

namespace millwright::onnx {
namespace {

// Names in sight while a graph is walked; the names of a subgraph vanish at its end. The views point into the message.
class Walk {
 public:
  explicit Walk(const Limits& limits) : limits_(limits) {}

  Status graph(const wire::GraphProto& graph, uint64_t depth) {
    if (depth > limits_.max_subgraph_depth) {
      return fail(ErrorCode::kTooLarge, "graph {}: subgraphs nest deeper than the limit of {}", shown(graph.name()),
                  limits_.max_subgraph_depth);
    }
    scopes_.emplace_back();
    MW_CHECK_OK(inputs(graph));
    MW_CHECK_OK(initializers(graph));
    for (int i = 0; i < graph.node_size(); ++i) MW_CHECK_OK(node(graph, i, depth));
    MW_CHECK_OK(outputs(graph));
    scopes_.pop_back();
    return {};
  }

 private:
  [[nodiscard]] bool in_sight(std::string_view name) const {
    for (const auto& scope : scopes_) {
      if (scope.contains(name)) return true;
    }
    return false;
  }

  Status value(const wire::ValueInfoProto& info, std::string_view what) {
    const std::string where = fmt::format("{} {}", what, shown(info.name()));
    if (info.name().empty()) return fail(ErrorCode::kInvalidInput, "{}: it has no name", where);
    // Values inside subgraphs may leave their type open.
    if (!info.has_type() && scopes_.size() > 1) return {};
    if (!info.type().has_tensor_type()) {
      return fail(ErrorCode::kUnsupported, "{}: only tensors are taken, no sequences, maps or optionals", where);
    }
    const auto& tensor = info.type().tensor_type();
    if (!element_type_from(tensor.elem_type())) {
      return fail(ErrorCode::kUnsupported, "{}: element type {} is not supported", where, tensor.elem_type());
    }
    if (static_cast<uint64_t>(tensor.shape().dim_size()) > limits_.max_rank) {
      return fail(ErrorCode::kTooLarge, "{}: rank {}, more than the limit of {}", where, tensor.shape().dim_size(),
                  limits_.max_rank);
    }
    for (const auto& dim : tensor.shape().dim()) {
      if (dim.has_dim_value() && dim.dim_value() < 0 && dim.dim_value() != -1) {  // -1: some exporters' "unknown"
        return fail(ErrorCode::kInvalidInput, "{}: a size of {}", where, dim.dim_value());
      }
    }
    return {};
  }

  Status inputs(const wire::GraphProto& graph) {
    for (const auto& info : graph.input()) {
      MW_CHECK_OK(value(info, "input"));
      if (!scopes_.back().insert(info.name()).second) {
        return fail(ErrorCode::kInvalidInput, "input {}: another input has the same name", shown(info.name()));
      }
    }
    return {};
  }

  Status initializers(const wire::GraphProto& graph) {
    std::set<std::string_view> own;
    for (const auto& tensor : graph.initializer()) {
      const std::string where = fmt::format("initializer {}", shown(tensor.name()));
      MW_CHECK_OK(check_tensor(tensor, limits_, where));
      if (tensor.name().empty() || !own.insert(tensor.name()).second) {
        return fail(ErrorCode::kInvalidInput, "{}: no name, or the name of another", where);
      }
      scopes_.back().insert(tensor.name());  // an input of the same name has this as its default
    }
    return {};
  }

  Status node(const wire::GraphProto& graph, int index, uint64_t depth) {
    const auto& node = graph.node(index);
    if (auto allowed = check_operator(node.domain(), node.op_type(), limits_.allow_loops);
        !allowed && !limits_.any_operator) {
      return with_context(std::move(allowed).error(), operator_name(node, index));
    }
    for (const auto& input : node.input()) {
      if (!input.empty() && !in_sight(input)) return unknown_input(graph, index, input);
    }
    for (const auto& attribute : node.attribute())
      MW_CHECK_OK(this->attribute(attribute, describe(node, index), depth));
    for (const auto& output : node.output()) {
      if (!output.empty() && !scopes_.back().insert(output).second) {
        return fail(ErrorCode::kInvalidInput, "{}: its output {} was made before", describe(node, index),
                    shown(output));
      }
    }
    return {};
  }

  static std::string operator_name(const wire::NodeProto& node, int index) {
    if (node.domain().empty()) return fmt::format("{} is refused", describe(node, index));
    return fmt::format("{} of domain {} is refused", describe(node, index), shown(node.domain()));
  }

  static std::unexpected<Error> unknown_input(const wire::GraphProto& graph, int index, const std::string& input) {
    const std::string where = describe(graph.node(index), index);
    for (int later = index; later < graph.node_size(); ++later) {
      for (const auto& output : graph.node(later).output()) {
        if (output != input) continue;
        return fail(ErrorCode::kInvalidInput, "{}: its input {} is made only by {}: a cycle, or nodes out of order",
                    where, shown(input), describe(graph.node(later), later));
      }
    }
    return fail(ErrorCode::kInvalidInput, "{}: nothing makes its input {}", where, shown(input));
  }

  Status attribute(const wire::AttributeProto& attribute, const std::string& node, uint64_t depth) {
    const std::string where = fmt::format("{}: attribute {}", node, shown(attribute.name()));
    if (attribute.has_ref_attr_name()) return fail(ErrorCode::kInvalidInput, "{}: refers to no function", where);
    if (attribute.has_t()) MW_CHECK_OK(check_tensor(attribute.t(), limits_, where));
    for (const auto& tensor : attribute.tensors()) MW_CHECK_OK(check_tensor(tensor, limits_, where));
    if (attribute.has_g()) MW_CHECK_OK(subgraph(attribute.g(), where, depth));
    for (const auto& graph : attribute.graphs()) MW_CHECK_OK(subgraph(graph, where, depth));
    return {};
  }

  Status subgraph(const wire::GraphProto& graph, const std::string& where, uint64_t depth) {
    if (auto ok = this->graph(graph, depth + 1); !ok) return with_context(std::move(ok).error(), where);
    return {};
  }

  Status outputs(const wire::GraphProto& graph) {
    if (graph.output_size() == 0) return fail(ErrorCode::kInvalidInput, "graph {}: no output", shown(graph.name()));
    std::set<std::string_view> own;
    for (const auto& info : graph.output()) {
      MW_CHECK_OK(value(info, "output"));
      if (!in_sight(info.name())) {
        return fail(ErrorCode::kInvalidInput, "output {}: no node makes it", shown(info.name()));
      }
      if (!own.insert(info.name()).second) {
        return fail(ErrorCode::kInvalidInput, "output {}: it is there twice", shown(info.name()));
      }
    }
    return {};
  }

  const Limits& limits_;
  std::vector<std::set<std::string_view>> scopes_;
};

}  // namespace

Status check_graphs(const wire::GraphProto& graph, const Limits& limits) { return Walk(limits).graph(graph, 0); }

}  // namespace millwright::onnx
