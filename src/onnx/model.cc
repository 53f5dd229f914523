// SPDX-License-Identifier: Apache-2.0
#include "onnx/model.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <limits>
#include <set>

#include "onnx/check.h"
#include "onnx/operators.h"
#include "onnx/types.h"
#include "onnx/wire_scan.h"
#include "onnx/wire_tensor.h"
#include "onnx/wire_values.h"

namespace millwright::onnx {
namespace {

constexpr size_t kMaxShownName = 60;

// The newest that the pinned ONNX Runtime reads; an older program must not half-read a newer format.
constexpr int64_t kMaxIrVersion = 13;

std::string_view canonical_domain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

}  // namespace

struct Model::Impl {
  wire::ModelProto proto;
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

std::string shown(std::string_view name) {
  std::string out = "'";
  for (const char c : name.substr(0, kMaxShownName)) out += c >= 0x20 && c != 0x7F ? c : '?';
  if (name.size() > kMaxShownName) out += "...";
  return out + "'";
}

std::string describe(const wire::NodeProto& node, int index) {
  if (node.name().empty()) return fmt::format("node {} ({})", index, shown(node.op_type()));
  return fmt::format("node {} {} ({})", index, shown(node.name()), shown(node.op_type()));
}

namespace {

// With the first operator that wants it, so that whoever exports the model knows what to leave out.
std::unexpected<Error> unknown_domain(const wire::GraphProto& graph, const std::string& domain) {
  const auto& nodes = graph.node();
  const auto user = std::ranges::find(nodes, domain, [](const wire::NodeProto& node) { return node.domain(); });
  const std::string who = user == nodes.end() ? "" : describe(*user, static_cast<int>(user - nodes.begin())) + ": ";
  return fail(ErrorCode::kRefused, "model: {}it imports operators of the unknown domain {}", who, shown(domain));
}

}  // namespace

Status check_model(const wire::ModelProto& model, const Limits& limits) {
  if (model.ir_version() < 3 || model.ir_version() > kMaxIrVersion) {
    return fail(model.ir_version() > kMaxIrVersion ? ErrorCode::kUnsupported : ErrorCode::kCorrupt,
                "model: ONNX format version {}; 3 to {} are read", model.ir_version(), kMaxIrVersion);
  }
  if (!model.has_graph()) return fail(ErrorCode::kCorrupt, "model: not an ONNX file: it has no graph");
  std::set<std::string_view> domains;
  for (const auto& opset : model.opset_import()) {
    if (!known_domain(opset.domain()) && !limits.any_operator) {
      return unknown_domain(model.graph(), opset.domain());
    }
    if (!domains.insert(canonical_domain(opset.domain())).second) {
      return fail(ErrorCode::kInvalidInput, "model: domain {} is imported twice", shown(opset.domain()));
    }
  }
  if (domains.empty()) return fail(ErrorCode::kInvalidInput, "model: it imports no operator set");
  MW_CHECK_OK(check_graphs(model.graph(), limits));
  return check_sizes(model.graph(), limits);
}

Result<wire::ModelProto> parse_wire(std::span<const std::byte> bytes, const Limits& limits) {
  if (bytes.size() > std::min<uint64_t>(limits.max_model_bytes, std::numeric_limits<int>::max())) {
    return fail(ErrorCode::kTooLarge, "model: {} bytes, more than the limit of {}", bytes.size(),
                limits.max_model_bytes);
  }
  if (bytes.empty()) return fail(ErrorCode::kCorrupt, "model: not an ONNX file: it is empty");
  static_cast<void>(MW_TRY(scan_wire(bytes, limits.max_nodes)));
  wire::ModelProto proto;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxWireDepth + 1);
  if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return fail(ErrorCode::kCorrupt, "model: not an ONNX file, or cut short");
  }
  MW_CHECK_OK(check_model(proto, limits));
  return proto;
}

Result<Bytes> write_wire(const wire::ModelProto& model) {
  const size_t size = model.ByteSizeLong();
  if (size > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return fail(ErrorCode::kTooLarge, "model: {} bytes, more than the 2 GiB that the format can hold", size);
  }
  Bytes bytes(size);
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(size))) {
    return fail(ErrorCode::kInvalidInput, "model: it cannot be written");
  }
  return bytes;
}

Result<Model> Model::parse(std::span<const std::byte> bytes, const Limits& limits) {
  auto impl = std::make_unique<Impl>();
  impl->proto = MW_TRY(parse_wire(bytes, limits));
  return Model(std::move(impl));
}

Result<Bytes> Model::serialize() const { return write_wire(impl_->proto); }

namespace {

void count_graph(const wire::GraphProto& graph, Summary& summary) {
  for (const auto& tensor : graph.initializer()) {
    const uint64_t elements =
        element_count({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())}).value_or(0);
    summary.parameters += elements;
    summary.parameter_bytes += (elements * element_bits(tensor.data_type()) + 7) / 8;
  }
  summary.nodes += static_cast<uint64_t>(graph.node_size());
  for (const auto& node : graph.node()) {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    ++summary.operators[standard ? node.op_type() : fmt::format("{}.{}", node.domain(), node.op_type())];
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) count_graph(attribute.g(), summary);
      for (const auto& nested : attribute.graphs()) count_graph(nested, summary);
    }
  }
}

}  // namespace

Summary Model::summary() const {
  const wire::ModelProto& proto = impl_->proto;
  Summary summary;
  summary.ir_version = proto.ir_version();
  for (const auto& opset : proto.opset_import()) {
    summary.opsets[std::string(canonical_domain(opset.domain()))] = opset.version();
  }
  summary.producer = proto.producer_name();
  summary.graph_name = proto.graph().name();
  std::set<std::string_view> initializers;
  for (const auto& tensor : proto.graph().initializer()) initializers.insert(tensor.name());
  for (const auto& info : proto.graph().input()) {
    if (!initializers.contains(info.name())) summary.inputs.push_back(value_info(info));
  }
  for (const auto& info : proto.graph().output()) summary.outputs.push_back(value_info(info));
  count_graph(proto.graph(), summary);
  for (const auto& entry : proto.metadata_props()) summary.metadata[entry.key()] = entry.value();
  return summary;
}

}  // namespace millwright::onnx
