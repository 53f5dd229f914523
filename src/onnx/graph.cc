// SPDX-License-Identifier: Apache-2.0
#include "onnx/graph.h"

#include <algorithm>

#include "base/check.h"
#include "onnx/check.h"
#include "onnx/types.h"
#include "onnx/wire_tensor.h"
#include "onnx/wire_values.h"

namespace millwright::onnx {
namespace {

// Constants need not be inputs as well from this version on.
constexpr int64_t kFreeConstantsIr = 4;
constexpr int64_t kWrittenIr = 8;

void collect_names(const wire::GraphProto& graph, std::set<std::string>& read) {
  for (const auto& node : graph.node()) {
    read.insert(node.input().begin(), node.input().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) collect_names(attribute.g(), read);
      for (const auto& nested : attribute.graphs()) collect_names(nested, read);
    }
  }
  for (const auto& output : graph.output()) read.insert(output.name());
}

Node node_from(const wire::NodeProto& in) {
  Node out;
  out.name = in.name();
  out.op = in.op_type();
  out.domain = in.domain() == "ai.onnx" ? "" : in.domain();
  out.inputs.assign(in.input().begin(), in.input().end());
  out.outputs.assign(in.output().begin(), in.output().end());
  out.documentation = in.doc_string();
  for (const auto& attribute : in.attribute()) {
    out.attributes.push_back(attribute_from(attribute));
    // A subgraph's own names are among them; one that is ours too only keeps more alive than it must.
    if (attribute.has_g()) collect_names(attribute.g(), out.captured);
    for (const auto& nested : attribute.graphs()) collect_names(nested, out.captured);
  }
  return out;
}

void write_node(wire::NodeProto& out, const Node& in) {
  if (!in.name.empty()) out.set_name(in.name);
  out.set_op_type(in.op);
  if (!in.domain.empty()) out.set_domain(in.domain);
  if (!in.documentation.empty()) out.set_doc_string(in.documentation);
  for (const std::string& input : in.inputs) out.add_input(input);
  for (const std::string& output : in.outputs) out.add_output(output);
  for (const Attribute& attribute : in.attributes) set_attribute(*out.add_attribute(), attribute);
}

// The order of the file wherever it serves.
std::vector<size_t> order(const Graph& graph) {
  const Wiring wiring(graph);
  std::vector<size_t> sorted;
  std::vector<int> state(graph.nodes.size(), 0);  // 0 not seen, 1 its inputs are being placed, 2 placed
  std::vector<size_t> stack;
  for (size_t first = 0; first < graph.nodes.size(); ++first) {
    stack.push_back(first);
    while (!stack.empty()) {
      const size_t at = stack.back();
      if (state[at] != 0) {
        stack.pop_back();
        if (state[at] == 1) sorted.push_back(at);
        state[at] = 2;
        continue;
      }
      state[at] = 1;
      const auto place = [&](const std::string& name) {
        const auto maker = wiring.maker(name);
        if (maker && state[*maker] == 0) stack.push_back(*maker);
      };
      const Node& node = graph.nodes[at];
      std::for_each(node.captured.rbegin(), node.captured.rend(), place);
      std::for_each(node.inputs.rbegin(), node.inputs.rend(), place);
    }
  }
  return sorted;
}

}  // namespace

// The message without its nodes, constants and values.
struct Graph::Rest {
  wire::ModelProto model;
  std::set<std::string, std::less<>> names;
};

Graph::Graph(std::unique_ptr<Rest> rest) : rest_(std::move(rest)) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Graph Graph::copy() const {
  Graph out(std::make_unique<Rest>(*rest_));
  out.nodes = nodes;
  out.constants = constants;
  out.inputs = inputs;
  out.outputs = outputs;
  out.values = values;
  out.metadata = metadata;
  return out;
}

Result<Graph> Graph::parse(std::span<const std::byte> bytes, const Limits& limits) {
  Graph out(std::make_unique<Rest>());
  out.rest_->model = MW_TRY(parse_wire(bytes, limits));
  wire::GraphProto& graph = *out.rest_->model.mutable_graph();
  for (auto& proto : *graph.mutable_initializer()) {
    const std::string name = proto.name();
    out.constants.emplace(name, tensor_from(std::move(proto)));
  }
  for (const auto& node : graph.node()) out.nodes.push_back(node_from(node));
  for (const auto& info : graph.input()) {
    if (!out.constants.contains(info.name())) out.inputs.push_back(value_info(info));
  }
  for (const auto& info : graph.output()) out.outputs.push_back(value_info(info));
  for (const auto& info : graph.value_info()) {
    if (info.type().has_tensor_type() && info.type().tensor_type().has_shape() &&
        element_type_from(info.type().tensor_type().elem_type())) {
      out.values.emplace(info.name(), value_info(info));
    }
  }
  for (const auto& entry : out.rest_->model.metadata_props()) out.metadata[entry.key()] = entry.value();
  for (const auto& [name, tensor] : out.constants) out.rest_->names.insert(name);
  for (const ValueInfo& input : out.inputs) out.rest_->names.insert(input.name);
  for (const Node& node : out.nodes) {
    out.rest_->names.insert(node.outputs.begin(), node.outputs.end());
    out.rest_->names.insert(node.captured.begin(), node.captured.end());
    out.rest_->names.insert(node.name);
  }
  for (auto* field : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()}) field->Clear();
  graph.clear_initializer();
  graph.clear_node();
  out.rest_->model.clear_metadata_props();
  return out;
}

struct Graph::Written {
  wire::ModelProto model;
};

Graph::Written Graph::write() const {
  Written out{.model = rest_->model};
  wire::ModelProto& model = out.model;
  // Constants are no inputs here, which older formats did not know.
  if (model.ir_version() < kFreeConstantsIr) model.set_ir_version(kWrittenIr);
  wire::GraphProto& graph = *model.mutable_graph();
  for (const size_t index : order(*this)) write_node(*graph.add_node(), nodes[index]);
  for (const auto& [name, tensor] : constants) set_tensor(*graph.add_initializer(), name, tensor);
  for (const ValueInfo& input : inputs) set_value_info(*graph.add_input(), input);
  for (const ValueInfo& output : outputs) set_value_info(*graph.add_output(), output);
  for (const auto& [name, value] : values) set_value_info(*graph.add_value_info(), value);
  for (const auto& [key, text] : metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(text);
  }
  return out;
}

Result<Bytes> Graph::serialize(const Limits& limits) const {
  const Written written = write();
  MW_CHECK_OK(check_model(written.model, limits));
  return write_wire(written.model);
}

Bytes Graph::serialize_open() const {
  Written written = write();
  wire::GraphProto& graph = *written.model.mutable_graph();
  std::set<std::string, std::less<>> known;
  for (const ValueInfo& output : outputs) known.insert(output.name);
  for (const Node& node : nodes) {
    for (const std::string& name : node.outputs) {
      if (!name.empty() && known.insert(name).second) graph.add_output()->set_name(name);
    }
  }
  auto bytes = write_wire(written.model);
  MW_CHECK(bytes.has_value(), "what was read can be written");
  return *std::move(bytes);
}

int64_t Graph::opset(std::string_view domain) const {
  for (const auto& opset : rest_->model.opset_import()) {
    if ((opset.domain() == "ai.onnx" ? "" : opset.domain()) == domain) return opset.version();
  }
  return 0;
}

void Graph::set_opset(std::string_view domain, int64_t version) {
  for (auto& opset : *rest_->model.mutable_opset_import()) {
    if ((opset.domain() == "ai.onnx" ? "" : opset.domain()) == domain) return opset.set_version(version);
  }
  auto* added = rest_->model.add_opset_import();
  added->set_domain(std::string(domain));
  added->set_version(version);
}

void Graph::drop_unused_domains() {
  std::set<std::string, std::less<>> used = {""};
  for (const Node& node : nodes) {
    if (!node.captured.empty()) return;
    used.insert(node.domain);
  }
  auto& imports = *rest_->model.mutable_opset_import();
  for (int i = imports.size(); i-- > 0;) {
    const std::string& domain = imports[i].domain();
    if (domain != "ai.onnx" && !used.contains(domain)) imports.DeleteSubrange(i, 1);
  }
}

const Tensor* Graph::constant(std::string_view name) const {
  const auto found = constants.find(name);
  return found == constants.end() ? nullptr : &found->second;
}

std::string Graph::fresh_name(std::string_view stem) {
  std::string name(stem);
  for (uint64_t i = 1; !rest_->names.insert(name).second; ++i) name = fmt::format("{}_{}", stem, i);
  return name;
}

const ValueInfo* Graph::value(std::string_view name) const {
  for (const auto* list : {&inputs, &outputs}) {
    const auto found = std::ranges::find(*list, name, &ValueInfo::name);
    if (found != list->end()) return &*found;
  }
  const auto found = values.find(name);
  return found == values.end() ? nullptr : &found->second;
}

const Attribute* Node::find(std::string_view attribute) const {
  const auto found = std::ranges::find(attributes, attribute, &Attribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

int64_t Node::int_or(std::string_view attribute, int64_t otherwise) const {
  const Attribute* found = find(attribute);
  return found == nullptr || found->kind != Attribute::Kind::kInt ? otherwise : found->i;
}

float Node::float_or(std::string_view attribute, float otherwise) const {
  const Attribute* found = find(attribute);
  return found == nullptr || found->kind != Attribute::Kind::kFloat ? otherwise : found->f;
}

std::vector<int64_t> Node::ints_or(std::string_view attribute, std::vector<int64_t> otherwise) const {
  const Attribute* found = find(attribute);
  return found == nullptr || found->kind != Attribute::Kind::kInts ? std::move(otherwise) : found->ints;
}

void Node::set(Attribute attribute) {
  remove(attribute.name);
  attributes.push_back(std::move(attribute));
}

void Node::remove(std::string_view attribute) {
  std::erase_if(attributes, [&](const Attribute& one) { return one.name == attribute; });
}

std::string Node::describe() const { return fmt::format("node {} ({})", shown(name), shown(op)); }

Wiring::Wiring(const Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    for (const std::string& output : node.outputs) {
      if (!output.empty()) makers_.emplace(output, i);
    }
    for (const std::string& input : node.inputs) {
      if (!input.empty()) readers_[input].push_back(i);
    }
    for (const std::string& name : node.captured) readers_[name].push_back(i);
  }
  for (const ValueInfo& output : graph.outputs) outputs_.insert(output.name);
}

std::optional<size_t> Wiring::maker(std::string_view value) const {
  const auto found = makers_.find(value);
  return found == makers_.end() ? std::nullopt : std::optional(found->second);
}

std::span<const size_t> Wiring::readers(std::string_view value) const {
  const auto found = readers_.find(value);
  return found == readers_.end() ? std::span<const size_t>() : std::span<const size_t>(found->second);
}

void remove_unused(Graph& graph) {
  const Wiring wiring(graph);
  std::vector<bool> wanted(graph.nodes.size(), false);
  std::vector<size_t> stack;
  const auto want = [&](const std::string& name) {
    const auto maker = wiring.maker(name);
    if (!maker || wanted[*maker]) return;
    wanted[*maker] = true;
    stack.push_back(*maker);
  };
  for (const ValueInfo& output : graph.outputs) want(output.name);
  while (!stack.empty()) {
    const Node& node = graph.nodes[stack.back()];
    stack.pop_back();
    std::ranges::for_each(node.inputs, want);
    std::ranges::for_each(node.captured, want);
  }
  size_t index = 0;
  std::erase_if(graph.nodes, [&](const Node&) { return !wanted[index++]; });
  const Wiring left(graph);
  std::erase_if(graph.constants, [&](const auto& constant) {
    return left.readers(constant.first).empty() && !left.is_output(constant.first);
  });
  std::erase_if(graph.values, [&](const auto& value) { return !left.maker(value.first); });
}

}  // namespace millwright::onnx
