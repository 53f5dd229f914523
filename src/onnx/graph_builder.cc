// SPDX-License-Identifier: Apache-2.0
#include "onnx/graph_builder.h"

#include <bit>
#include <cstring>
#include <set>
#include <utility>

#include "base/check.h"
#include "onnx/model.h"
#include "onnx/types.h"
#include "onnx/wire_values.h"

namespace millwright::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw tensor data is little-endian");

constexpr int64_t kIrVersion = 8;
constexpr int64_t kMlOpset = 3;
constexpr int64_t kMicrosoftOpset = 1;

}  // namespace

struct GraphBuilder::Impl {
  wire::ModelProto model;
  std::set<std::string, std::less<>> names;    // every tensor so far
  std::set<std::string, std::less<>> domains;  // beside the default one
  uint64_t next_constant = 0;
  uint64_t next_result = 0;

  // A name that nobody has: the stem and the next free number.
  std::string fresh(std::string_view stem, uint64_t& next) {
    std::string name;
    do {
      name = fmt::format("{}{}", stem, next++);
    } while (names.contains(name));
    return name;
  }

  std::string constant(int32_t type, std::span<const std::byte> raw, std::span<const int64_t> dims, std::string name) {
    if (name.empty()) name = fresh("c", next_constant);
    names.insert(name);
    auto* tensor = model.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (const int64_t dim : dims) tensor->add_dims(dim);
    tensor->set_raw_data(raw.data(), raw.size());
    return name;
  }

  void import_domain(std::string_view domain) {
    if (domain.empty() || !domains.emplace(domain).second) return;
    auto* opset = model.add_opset_import();
    opset->set_domain(std::string(domain));
    opset->set_version(domain == "ai.onnx.ml" ? kMlOpset : kMicrosoftOpset);
  }
};

GraphBuilder::GraphBuilder(std::string graph_name, int64_t opset) : impl_(std::make_unique<Impl>()) {
  impl_->model.set_ir_version(kIrVersion);
  impl_->model.set_producer_name("millwright");
  impl_->model.add_opset_import()->set_version(opset);
  impl_->model.mutable_opset_import(0)->set_domain("");
  impl_->model.mutable_graph()->set_name(std::move(graph_name));
}
GraphBuilder::~GraphBuilder() = default;
GraphBuilder::GraphBuilder(GraphBuilder&&) noexcept = default;
GraphBuilder& GraphBuilder::operator=(GraphBuilder&&) noexcept = default;

std::string GraphBuilder::input(std::string name, ElementType type, Shape shape) {
  impl_->names.insert(name);
  set_value_info(*impl_->model.mutable_graph()->add_input(), {.name = name, .type = type, .shape = std::move(shape)});
  return name;
}

void GraphBuilder::output(std::string name, ElementType type, Shape shape) {
  set_value_info(*impl_->model.mutable_graph()->add_output(),
                 {.name = std::move(name), .type = type, .shape = std::move(shape)});
}

std::string GraphBuilder::constant(std::span<const float> values, std::vector<int64_t> dims, std::string name) {
  return impl_->constant(data_type(ElementType::kFloat), std::as_bytes(values), dims, std::move(name));
}

std::string GraphBuilder::constant(std::span<const int64_t> values, std::vector<int64_t> dims, std::string name) {
  return impl_->constant(data_type(ElementType::kInt64), std::as_bytes(values), dims, std::move(name));
}

std::string GraphBuilder::scalar(float value) { return constant(std::span(&value, 1), {}); }

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, int64_t value) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kInt;
  out.i = value;
  return out;
}

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, float value) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kFloat;
  out.f = value;
  return out;
}

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, std::string value) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kString;
  out.s = std::move(value);
  return out;
}

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, std::vector<int64_t> values) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kInts;
  out.ints = std::move(values);
  return out;
}

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, std::vector<float> values) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kFloats;
  out.floats = std::move(values);
  return out;
}

GraphBuilder::Attribute GraphBuilder::attribute(std::string name, std::vector<std::string> values) {
  Attribute out;
  out.name = std::move(name);
  out.kind = Attribute::Kind::kStrings;
  out.strings = std::move(values);
  return out;
}

std::string GraphBuilder::node(std::string_view op, std::vector<std::string> inputs, std::vector<Attribute> attributes,
                               std::string result) {
  return node_n(op, std::move(inputs), 1, std::move(attributes), {std::move(result)}).front();
}

std::vector<std::string> GraphBuilder::node_n(std::string_view op, std::vector<std::string> inputs, size_t outputs,
                                              std::vector<Attribute> attributes, std::vector<std::string> results,
                                              std::string_view domain) {
  MW_CHECK(results.empty() || results.size() == outputs, "one result name per output, or none");
  impl_->import_domain(domain);
  auto* graph = impl_->model.mutable_graph();
  auto* node = graph->add_node();
  node->set_name(fmt::format("{}_{}", op, graph->node_size() - 1));
  node->set_op_type(std::string(op));
  if (!domain.empty()) node->set_domain(std::string(domain));
  for (std::string& input : inputs) node->add_input(std::move(input));
  for (const Attribute& attribute : attributes) set_attribute(*node->add_attribute(), attribute);
  results.resize(outputs);
  for (std::string& result : results) {
    if (result.empty()) result = impl_->fresh("t", impl_->next_result);
    impl_->names.insert(result);
    node->add_output(result);
  }
  return results;
}

void GraphBuilder::metadata(std::string key, std::string value) {
  auto* entry = impl_->model.add_metadata_props();
  entry->set_key(std::move(key));
  entry->set_value(std::move(value));
}

Bytes GraphBuilder::finish_unchecked() const {
  Bytes bytes(impl_->model.ByteSizeLong());
  MW_CHECK(impl_->model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())), "a model of 2 GiB or more");
  return bytes;
}

Result<Bytes> GraphBuilder::finish() const {
  Limits limits;
  if (impl_->model.ByteSizeLong() > limits.max_model_bytes) {
    return fail(ErrorCode::kTooLarge, "model: {} bytes, more than the limit of {}", impl_->model.ByteSizeLong(),
                limits.max_model_bytes);
  }
  Bytes bytes = finish_unchecked();
  const auto checked = Model::parse(bytes, limits);
  if (!checked) return std::unexpected(checked.error());
  return bytes;
}

}  // namespace millwright::onnx
